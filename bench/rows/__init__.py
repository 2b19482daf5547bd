"""What is measured, a module each. The bars are what the design promises."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Final

from bench.context import Bench
from bench.measure import Row

Measure = Callable[[Bench], Iterable[Row]]

NAMES: Final = (
    "append", "callers", "callers_flush", "batch", "verify", "rebuild", "replica", "audit", "as_of",
    "pause", "switch", "rules",
)  # fmt: skip


def measure(name: str) -> Measure:
    """Return the function that measures the row (or rows) ``name``."""
    run: Measure = import_module(f"bench.rows.{name}").measure
    return run
