"""What a line of a bot's audit file says, by the names that bots give to it. Pure.

Bots agree on little: docs/reports.md lists the keys and words that are understood. What is
not understood is no value; nothing is guessed from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import orjson

from projections.reports.figures import finite

Fields = Mapping[str, str]
"""Key -> canonical JSON text, as OrderActivityRecorded has it."""

ID_KEYS: Final = (
    "client_order_id", "clientOrderId", "clOrdId", "order_id", "orderId", "ordId", "intent_id", "id",
)  # fmt: skip
STATUS_KEYS: Final = ("status", "state", "order_status", "result", "outcome")
DONE_KEYS: Final = ("success", "ok")
REALISED_KEYS: Final = ("realized_pnl", "realised_pnl", "pnl_realized", "realizedPnl", "pnl")
EXPECTED_KEYS: Final = ("expected_pnl", "expectedPnl", "expected_profit")
LATENCY_KEYS: Final = ("latency_ms", "latencyMs")
CURRENCY_KEYS: Final = ("pnl_currency", "pnl_ccy", "currency", "ccy")
REASON_KEYS: Final = ("reason", "message", "error")
PAUSED: Final = "paused"
LONGEST_NUMBER: Final = 40

OUTCOMES: Final[Mapping[str, tuple[str, ...]]] = {
    "filled": ("filled", "fully_filled", "fill", "executed", "matched", "closed"),
    "partly": ("partially_filled", "partial_fill", "partial", "partly_filled"),
    "rejected": ("rejected", "reject", "failed", "failure", "error", "denied", "refused"),
    "cancelled": ("cancelled", "canceled", "expired"),
    "open": ("accepted", "submitted", "placed", "new", "open", "live", "pending", "ok", "success"),
    "simulated": ("simulated", "mock", "dry_run", "paper"),
}
"""What became of an order -> the words for it; the further up, the more is known."""
OUTCOME_OF: Final = {word: outcome for outcome, words in OUTCOMES.items() for word in words}
_SIMULATED: Final = frozenset(OUTCOMES["simulated"])
_FLAGS: Final = ("dry_run", "dryRun", "simulated", "paper")


def identities(fields: Fields) -> Iterator[tuple[str, str]]:
    """Yield (key, value) of every id that the record has; the same pair is the same order."""
    for key in ID_KEYS:
        text = fields.get(key)
        if text is not None and text not in {"null", '""'}:
            yield key, text


def outcome(fields: Fields) -> tuple[str | None, str]:
    """Return what became of the order, one of `OUTCOMES`, or None; and the bot's own word for it."""
    for key in STATUS_KEYS:
        word = _value(fields, key)
        if isinstance(word, str) and word:
            return OUTCOME_OF.get(_plain(word)), word
    for key in DONE_KEYS:
        done = _value(fields, key)
        if isinstance(done, bool):
            return ("open" if done else "rejected"), f"{key}: {str(done).lower()}"
    return None, ""


def is_simulated(fields: Fields) -> bool:
    """Return whether the record itself says that no real order was made."""
    mode = _value(fields, "mode")
    if isinstance(mode, str) and _plain(mode) in _SIMULATED:
        return True
    return any(_value(fields, flag) is True for flag in _FLAGS)


def says_paused(fields: Fields) -> bool:
    """Return whether the record itself says that the system was paused."""
    return any(_value(fields, key) == PAUSED for key in ("mode", *REASON_KEYS))


def number(fields: Fields, keys: Sequence[str]) -> Decimal | None:
    """Return the number under the first of ``keys`` that holds one, digit by digit as it was written."""
    for key in keys:
        text = fields.get(key)
        if text is None or text in {"true", "false", "null"}:
            continue
        value = finite(text.strip('"'))
        if value is not None and abs(value.adjusted()) < LONGEST_NUMBER:
            return value
    return None


def word(fields: Fields, keys: Sequence[str]) -> str | None:
    """Return the text under the first of ``keys`` that holds one."""
    for key in keys:
        value = _value(fields, key)
        if isinstance(value, str) and value:
            return value
    return None


def _value(fields: Fields, key: str) -> Any:
    text = fields.get(key)
    return orjson.loads(text) if text is not None else None


def _plain(text: str) -> str:
    return text.strip().lower().replace("-", "_").replace(" ", "_")
