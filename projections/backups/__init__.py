"""What the read models held when a backup was made, to be found again when it is restored."""
