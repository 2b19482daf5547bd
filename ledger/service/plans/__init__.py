"""Adopting plans, and moving through their phases."""
