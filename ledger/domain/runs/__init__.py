"""Supervised runs of a program, and the watch."""
