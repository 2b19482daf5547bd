"""Reports that were made."""
