"""Backends under test."""
