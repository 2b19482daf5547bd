"""The read models: tables that follow the log."""
