"""The rollout plans that are shipped, one YAML file each, with their rule files: data only."""
