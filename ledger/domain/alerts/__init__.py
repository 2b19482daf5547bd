"""Alerts, silences and incidents."""
