"""Reports: files for people, derived from the log alone, each with its provenance."""
