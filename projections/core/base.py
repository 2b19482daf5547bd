"""What a projection is: tables of its own, filled from the log, to be thrown away and built again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, LiteralString, Protocol, TypeAlias

from psycopg import Connection

from ledger.domain.log.envelope import Recorded
from ledger.domain.state import SystemState

Db: TypeAlias = Connection[tuple[Any, ...]]

MERELY_OBSERVED: Final = ("MetricsRecorded", "OrderActivityRecorded")
"""Four fifths of a log, which no decision rests on. Their bodies are read where they are needed."""


def system_of(event: Recorded) -> str | None:
    """Return the system whose control stream holds ``event``, else the one that it says it is about."""
    prefix, _, name = event.stream.partition(":")
    return name if prefix == "system" else event.system


class Step:
    """One event, with its system's state before and after it. Those are None for other streams."""

    __slots__ = ("after", "before", "body", "data", "event", "system")

    def __init__(
        self, event: Recorded, before: SystemState | None, after: SystemState | None
    ) -> None:
        self.event = event
        self.before = before
        self.after = after
        self.body: Mapping[str, Any] = event.decoded
        self.data: Mapping[str, Any] = self.body["data"]
        self.system = after.system if after is not None else self.body.get("system")

    @property
    def who(self) -> tuple[str, str, str, str, str | None]:
        """The columns actor_id, actor, actor_kind, channel and reason."""
        body, actor = self.body, self.body["actor"]
        return actor["id"], actor["name"], actor["kind"], body["channel"], body.get("reason")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the log: positions after ``after``, up to ``up_to``."""

    after: int
    up_to: int
    last: bool
    """Whether the transaction ends with it; until then, present states may stay in memory."""
    shard: int = 0
    shards: int = 1
    """A power of two. Of several, the part is only of those streams whose hash falls to ``shard``."""

    @property
    def values(self) -> tuple[int, int, int, int]:
        """The parameters of `IN_PART`."""
        return self.after, self.up_to, self.shards - 1, self.shard


class Written(Protocol):
    """Rows on their way into a table, as `projections.core.rows` has them."""

    def write(self, db: Db) -> None:
        """Write those that are new."""


IN_PART: Final[LiteralString] = "position > %s AND position <= %s AND hashtext(stream) & %s = %s"


class Projection(ABC):
    """Folds events into tables. SQL names tables without a schema: a rebuild fills another one.

    What ends up in the tables must depend on nothing but the log: not on how it was cut into parts,
    not on the time of day, not on the order in which a dict gives its keys (I7).
    """

    name: ClassVar[LiteralString]
    version: ClassVar[int]
    """Raised whenever the same events would give other rows. The model is then rebuilt by itself."""
    tables: ClassVar[tuple[LiteralString, ...]]
    definition: ClassVar[LiteralString]
    """CREATE TABLE, with the indexes that applying needs."""
    indexes: ClassVar[LiteralString] = ""
    """What only queries need. A rebuild makes these at the end."""
    types: ClassVar[frozenset[str] | None] = frozenset()
    """What it wants to be given of control streams; None: everything that is not merely observed."""

    written: Sequence[Written] = ()
    """The rows that `apply` gathers."""

    @abstractmethod
    def apply(self, step: Step) -> None:
        """Take in one event. No I/O."""

    def write(self, db: Db, part: Part) -> None:
        """Write what the events of a part came to, inside the transaction of its checkpoint."""
        for rows in self.written:
            rows.write(db)

    def prepare(self, db: Db, events: Sequence[Recorded]) -> None:
        """Fetch what is in the tables already and will be needed to apply ``events``, all of its types."""
        return

    def settle(self, db: Db, position: int) -> None:
        """Work out what hangs on more than one event, once all is written up to ``position``."""
        return
