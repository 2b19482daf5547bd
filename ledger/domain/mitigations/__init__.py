"""Mitigations: what reduces exposure short of a pause."""
