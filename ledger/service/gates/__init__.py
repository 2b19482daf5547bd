"""Preflight and the gates of phases."""
