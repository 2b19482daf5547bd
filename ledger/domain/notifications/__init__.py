"""Notifications: who was told of an alert."""
