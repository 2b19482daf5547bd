"""Records: the JSON files that say what the files beside them hold, and where those come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from ledger.domain.errors import LedgerError
from ledger.domain.log.event import Count, Part


class Record(BaseModel):
    """A record is closed, as a part of an event is: what holds anything else is no record of its format."""

    model_config = Part.model_config

    def encoded(self) -> bytes:
        """Return the record as its file has it."""
        return orjson.dumps(
            self.model_dump(mode="json", by_alias=True),
            option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
        )


R = TypeVar("R", bound=Record)


class MadeBy(Record):
    """Who made what the record is of."""

    id: str
    name: str
    kind: str


class TableDigest(Record):
    """What a table of the read models holds at a position, in whatever order."""

    projection: str
    version: Count
    """Of the projection: another one may build other rows from the same log."""
    table: str
    rows: Count
    digest: str


def parsed(content: bytes, model: type[R], damaged: Callable[[str], LedgerError]) -> R:
    """Return the record that a file holds; raise what ``damaged`` makes of the reason why it holds none."""
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise damaged(f"{where}: {first['msg']}" if where else first["msg"]) from None
