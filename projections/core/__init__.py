"""What read models are made of: projections, rows to write, the log as a reader sees it."""
