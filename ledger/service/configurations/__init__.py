"""Registering, keeping and applying configurations."""
