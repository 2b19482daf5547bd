"""Rollout plans and their phases."""
