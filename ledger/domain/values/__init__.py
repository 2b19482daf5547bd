"""What decisions are made of: modes, severities, durations, fingerprints."""
