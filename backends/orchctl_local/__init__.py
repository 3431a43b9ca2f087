"""Plain processes on this machine, under supervisor: desired state in files and a keeper that converges to it."""
