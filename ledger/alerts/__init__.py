"""Alert rules: read, evaluated over recorded samples, and judged. Pure."""
