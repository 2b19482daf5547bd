"""The archive: the log as Parquet files, sealed range by range, which verify without PostgreSQL.

See docs/archive.md for the layout.
"""
