"""The same 64 callers where a commit takes two milliseconds longer to be durable."""

from bench.rows.callers import measure_with_flush as measure

__all__ = ["measure"]
