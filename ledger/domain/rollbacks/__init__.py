"""Rollbacks: back to a prior fingerprint."""
