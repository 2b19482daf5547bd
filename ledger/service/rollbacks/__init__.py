"""Rolling configurations and code back."""
