"""Order activity as orders, and what became of each. Pure.

An intent begins an order, and what bears the same id afterwards belongs to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from projections.reports import order_records as said

_RANK: Final = {name: rank for rank, name in enumerate(reversed(tuple(said.OUTCOMES)), start=1)}
_TRADED: Final = frozenset({"filled", "partly"})


class Record(NamedTuple):
    """One line of a bot's audit file."""

    at: datetime
    kind: str
    """order_intent, order_result, risk_block or risk_event."""
    fields: said.Fields
    mode: str | None = None
    """The mode that the ledger knows the system was in at that moment."""


@dataclass(slots=True, eq=False)
class Order:
    """One order, as far as the records tell."""

    mode: str | None = None
    meant_at: datetime | None = None
    answered_at: datetime | None = None
    outcome: str | None = None
    unknown: str = ""
    """What the bot says of it, where that is not understood."""
    blocked: bool = False
    simulated: bool = False
    paused: bool = False
    realised: Decimal | None = None
    expected: Decimal | None = None
    latency_ms: Decimal | None = None
    currency: str | None = None

    @property
    def submitted(self) -> bool:
        """Whether it went out: it was not only simulated, and no risk control held it back."""
        return not self.blocked and not self.simulated

    @property
    def traded(self) -> bool:
        """Whether anything of it was really filled."""
        return self.submitted and self.outcome in _TRADED

    @property
    def rejected(self) -> bool:
        """Whether it was refused."""
        return self.submitted and self.outcome == "rejected"

    def answered(self, at: datetime, fields: said.Fields) -> None:
        """Take in a result; of several, the one that says most tells what became of the order."""
        self.answered_at = self.answered_at or at
        outcome, word = said.outcome(fields)
        if outcome is None:
            self.unknown = self.unknown or word or "—"
        elif _RANK[outcome] > _RANK.get(self.outcome or "", 0):
            self.outcome = outcome
        self.simulated |= outcome == "simulated"
        self.paused |= said.says_paused(fields)
        self.realised = _newer(said.number(fields, said.REALISED_KEYS), self.realised)

    def told(self, fields: said.Fields) -> None:
        """Take in what intents and results say alike."""
        self.simulated |= said.is_simulated(fields)
        self.expected = _newer(said.number(fields, said.EXPECTED_KEYS), self.expected)
        self.latency_ms = _newer(said.number(fields, said.LATENCY_KEYS), self.latency_ms)
        self.currency = said.word(fields, said.CURRENCY_KEYS) or self.currency


def _newer(new: Decimal | None, known: Decimal | None) -> Decimal | None:
    return known if new is None else new


@dataclass
class Activity:
    """The order activity of a time."""

    orders: list[Order] = field(default_factory=list)
    records: Counter[str] = field(default_factory=Counter)
    """Kind -> how many."""
    first: datetime | None = None
    last: datetime | None = None

    @property
    def submitted(self) -> list[Order]:
        """The orders that went out."""
        return [order for order in self.orders if order.submitted]

    @property
    def trades(self) -> list[Order]:
        """The orders that were filled, if only in part."""
        return [order for order in self.orders if order.traded]

    @property
    def unknown_words(self) -> list[str]:
        """What bots say of results that is not understood."""
        return sorted({o.unknown for o in self.submitted if o.unknown and o.outcome is None})


def tally(records: Iterable[Record]) -> Activity:
    """Return what ``records``, oldest first, come to."""
    activity = Activity()
    by_name: dict[tuple[str, str], Order] = {}
    for record in records:
        activity.records[record.kind] += 1
        activity.first = activity.first or record.at
        activity.last = record.at
        if record.kind == "risk_event":
            continue
        names = list(said.identities(record.fields))
        order = next((by_name[name] for name in names if name in by_name), None)
        if order is None or (record.kind == "order_intent" and order.meant_at is not None):
            if not names and record.kind == "risk_block":
                continue  # counted; nobody can tell which order it held back
            order = Order(record.mode, paused=record.mode == said.PAUSED)
            activity.orders.append(order)
        by_name.update(dict.fromkeys(names, order))
        _take_in(order, record)
    return activity


def _take_in(order: Order, record: Record) -> None:
    if record.kind == "risk_block":
        order.blocked = True
        return
    order.told(record.fields)
    if record.kind == "order_intent":
        order.meant_at = record.at
    else:
        order.answered(record.at, record.fields)
