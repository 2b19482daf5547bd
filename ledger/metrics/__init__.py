"""Where measured values come from."""
