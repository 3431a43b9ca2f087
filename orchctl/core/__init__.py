"""Frozen values and the backend contract. Standard library only."""
