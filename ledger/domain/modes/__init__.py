"""Modes: mock, real, paused."""
