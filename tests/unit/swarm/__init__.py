"""The pure parts of the swarm backend."""
