"""Alerts by hand, their actions, and telling people."""
