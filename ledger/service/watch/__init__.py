"""The watch: samples, evaluates, acts, for weeks."""
