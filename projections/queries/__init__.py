"""Questions that are answered from the read models and the log."""
