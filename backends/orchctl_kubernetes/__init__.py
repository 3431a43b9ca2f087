"""Kubernetes: Deployments by server-side apply."""
