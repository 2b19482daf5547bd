"""The .sql files beside this module, one object a file."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from importlib.resources import files

from sqlalchemy import Connection


def load(name: str) -> str:
    """Return the text of ``name`` ("functions/append.sql")."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def execute(connection: Connection, names: Iterable[str]) -> None:
    """Execute these files, in this order."""
    # The driver's own cursor: the files hold several statements each, and ':' and '%' of their own.
    with closing(connection.connection.cursor()) as cursor:
        for name in names:
            cursor.execute(load(name))
