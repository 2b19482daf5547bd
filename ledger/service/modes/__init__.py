"""Switching modes."""
