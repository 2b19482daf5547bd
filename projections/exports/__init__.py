"""The log, or what it tells, as streams for other programs. See docs/archive.md."""
