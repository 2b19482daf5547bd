"""Applying and lifting mitigations."""
