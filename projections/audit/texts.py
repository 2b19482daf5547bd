"""The SQL that ships with this package."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

# Whatever decides what the replica holds. Another text makes another replica.
_LAYOUT: Final = ("schema.sql", "views.sql", "macros.sql", "load.sql", "append.sql")


@cache
def sql(name: str) -> str:
    """Return the text of ``sql/NAME``."""
    return files("projections.audit").joinpath("sql", name).read_text(encoding="utf-8")


def layout() -> str:
    """Return what a replica built by this program is marked with."""
    return hashlib.sha256("\0".join(map(sql, _LAYOUT)).encode()).hexdigest()
