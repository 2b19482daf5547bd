"""Approvals: who has to say yes, and who did."""
