"""Systems: their registration."""
