"""Registering systems."""
