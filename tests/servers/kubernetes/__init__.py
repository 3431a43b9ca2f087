"""A real Kubernetes of our own: control plane and one node that runs real containers."""
