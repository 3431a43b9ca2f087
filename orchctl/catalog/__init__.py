"""Consul: a registry and a store that contexts share."""
