"""Rows on their way into a table: added by COPY, or fetched, changed and written back."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, LiteralString

import orjson
from psycopg import sql
from psycopg.rows import dict_row

from projections.core.base import Db

Key = tuple[Any, ...]
Row = dict[str, Any]
_TABLE: Final = re.compile(r"CREATE TABLE (\w+) \((.*?)\n\s*\);", re.DOTALL)
_COLUMN: Final = re.compile(r"^\s*([a-z_]+)\s", re.MULTILINE)


def select(db: Db, query: LiteralString | sql.Composed, values: Any = None) -> list[Row]:
    """Return what ``query`` finds, a dict a row."""
    with db.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, values).fetchall()


def copy_in(db: Db, into: sql.Composed, rows: Iterable[Sequence[Any]]) -> None:
    """Write ``rows`` by COPY."""
    with db.cursor() as cursor, cursor.copy(into) as copy:
        for row in rows:
            copy.write_row(row)


def _copy(table: str) -> sql.Composed:
    return sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))


class Added:
    """Rows that are only ever added, with their values in the order of the table's columns."""

    def __init__(self, table: str) -> None:
        self._copy = _copy(table)
        self._rows: list[Sequence[Any]] = []
        self.add = self._rows.append

    def stream(self, db: Db, rows: Iterable[Sequence[Any]]) -> None:
        """Write ``rows``, one at a time, without holding them all."""
        copy_in(db, self._copy, rows)

    def write(self, db: Db) -> None:
        """Write what was added."""
        if self._rows:
            copy_in(db, self._copy, self._rows)
            self._rows.clear()


class Kept:
    """Rows that later events change, in memory only between two writes.

    Their columns are those of the first table that ``definition`` creates; those of ``json`` hold JSON text.
    A row is found by the values of its ``key`` columns until it is retired: what is retired can't
    change any more, so that nothing need be fetched for a key that starts anew.
    """

    def __init__(
        self,
        definition: str,
        key: Sequence[str],
        *,
        json: Sequence[str] = (),
    ) -> None:
        name, columns = _TABLE.findall(definition)[0]
        table = sql.Identifier(name)
        self._key = tuple(key)
        self._columns: list[str] = _COLUMN.findall(columns)
        self._json = frozenset(json)
        self._copy = _copy(name)
        self._select = sql.SQL("SELECT ctid::text, * FROM {} WHERE ").format(table)
        self._delete = sql.SQL("DELETE FROM {} WHERE ctid = ANY (%s::text[]::tid[])").format(table)
        self._rows: dict[Key, Row] = {}
        self._places: dict[Key, str] = {}
        self._changed: dict[Key, None] = {}
        self._outdated: list[str] = []
        self._retired: list[Row] = []

    def fetch(self, db: Db, where: LiteralString, *values: Sequence[Any]) -> None:
        """Fetch the rows for which ``where`` holds; ``values`` are its parameters."""
        self._fetch(db, sql.SQL(where), values)

    def _fetch(self, db: Db, where: sql.Composable, values: Sequence[Sequence[Any]]) -> None:
        for place, *cells in db.execute(self._select + where, values):
            row: Row = dict(zip(self._columns, cells, strict=True))
            for name in self._json:
                row[name] = orjson.loads(row[name])
            key = tuple(row[name] for name in self._key)
            self._rows[key] = row
            self._places[key] = place

    def fetch_keys(self, db: Db, keys: Collection[Key], also: LiteralString = "") -> None:
        """Fetch the rows with these keys, which are texts; ``also`` is what else must hold of them."""
        if keys:
            names = sql.SQL(", ").join(map(sql.Identifier, self._key))
            arrays = sql.SQL(", ").join([sql.SQL("%s::text[]")] * len(self._key))
            where = sql.SQL("({}) IN (SELECT * FROM unnest({})) {}")
            condition = where.format(names, arrays, sql.SQL(also))
            self._fetch(db, condition, [list(column) for column in zip(*keys, strict=True)])

    def new(self, **cells: Any) -> Row:
        """Return a row of these cells; the other ones are NULL."""
        return {**dict.fromkeys(self._columns), **cells}

    def get(self, *key: Any) -> Row | None:
        """Return the row to be changed, or None. Call `put` after changing it."""
        return self._rows.get(key)

    def all(self) -> list[Row]:
        """Return the rows that were fetched or put, and not retired."""
        return list(self._rows.values())

    def put(self, row: Row) -> None:
        """Have a new or changed row written."""
        key = tuple(row[name] for name in self._key)
        self._rows[key] = row
        self._changed[key] = None

    def retire(self, row: Row) -> None:
        """Have a row written for the last time."""
        key = tuple(row[name] for name in self._key)
        _ = self._rows.pop(key, None)
        _ = self._changed.pop(key, None)
        place = self._places.pop(key, None)
        if place is not None:
            self._outdated.append(place)
        self._retired.append(row)

    def write(self, db: Db) -> None:
        """Write what changed, and forget every row."""
        outdated = self._outdated + [
            self._places[key] for key in self._changed if key in self._places
        ]
        if outdated:
            db.execute(self._delete, (outdated,))
        rows = self._retired + [self._rows[key] for key in self._changed]
        if rows:
            copy_in(db, self._copy, map(self._cells, rows))
        for kept in (self._rows, self._places, self._changed, self._outdated, self._retired):
            kept.clear()

    def _cells(self, row: Row) -> list[Any]:
        return [
            orjson.dumps(row[name]).decode() if name in self._json else row[name]
            for name in self._columns
        ]
