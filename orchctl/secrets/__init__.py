"""Secrets that orchctl fetches itself, at deploy time: asked for, known again by a fingerprint, and never shown."""
