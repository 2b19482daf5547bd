"""Observations: samples and order activity."""
