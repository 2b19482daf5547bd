"""Backups of the log."""
