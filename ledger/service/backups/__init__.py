"""Backups: the log and the bytes that it names, as files that a ledger can be restored from.

See docs/backup.md for what is in one, and docs/archive.md for the form of its lines.
"""
