"""Alert rules tried on what was recorded."""
