"""Drift: where the world is not as the ledger says."""
