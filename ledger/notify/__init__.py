"""Telling people: channels, delivery, retry."""
