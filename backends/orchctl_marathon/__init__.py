"""Drives Mesos through Marathon 1.8 to 1.11."""
