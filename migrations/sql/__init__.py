"""The .sql files beside this module, one object a file."""

from __future__ import annotations

from importlib.resources import files


def load(name: str) -> str:
    """Return the text of ``name`` ("functions/append.sql")."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
