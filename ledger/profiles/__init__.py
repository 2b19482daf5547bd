"""Rollout plans: a profile is one YAML file that says how a system is rolled out."""
