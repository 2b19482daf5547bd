"""The figures of order activity: orders, rates, trades, latency. Numbers are added digit by digit. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Context, Decimal
from functools import reduce
from typing import Final, Literal

from projections.reports.figures import Figure, absent, of, quantile, ratio, rounded
from projections.reports.orders import Activity, Order
from projections.reports.words import Words

_EXACT: Final = Context(prec=100, traps=[])
PERCENTILES: Final = (50, 95, 99)

Named = tuple[str, Figure]
NO_RECORDS: Final = "no_activity"
NO_ORDERS: Final = "no_orders"


def order_figures(activity: Activity) -> list[Named]:
    """Return how many orders were submitted, filled, rejected; and the rates."""
    if not activity.records:
        names = "intents blocked submitted filled rejected reject_rate fill_rate"
        return [(name, absent(NO_RECORDS)) for name in names.split()]
    sent = activity.submitted
    outcomes = Counter(order.outcome for order in sent)
    unanswered = sum(order.answered_at is None for order in sent)
    return [
        ("intents", of(activity.records["order_intent"])),
        ("blocked", of(activity.records["risk_block"])),
        ("simulated", of(sum(order.simulated for order in activity.orders))),
        ("submitted", of(len(sent))),
        ("filled", of(outcomes["filled"])),
        ("partly", of(outcomes["partly"])),
        ("rejected", of(outcomes["rejected"])),
        ("rejected_while_paused", of(sum(order.rejected and order.paused for order in sent))),
        ("cancelled", of(outcomes["cancelled"])),
        ("open", of(outcomes["open"])),
        ("unanswered", of(unanswered)),
        ("unknown", of(outcomes[None] - unanswered)),
        ("reject_rate", reject_rate(activity)),
        ("fill_rate", fill_rate(activity)),
        ("risk_events", of(activity.records["risk_event"])),
    ]


def rated(activity: Activity) -> list[Order]:
    """Return what rates and latencies are of: a pause rejects every order, and tells nothing of a market."""
    return [order for order in activity.submitted if not order.paused]


def reject_rate(activity: Activity) -> Figure:
    """Return rejected of submitted orders, in per cent, those of a pause left out."""
    return _rate(activity, "rejected")


def fill_rate(activity: Activity) -> Figure:
    """Return orders with a fill of submitted orders, in per cent, those of a pause left out."""
    return _rate(activity, "traded")


def _rate(activity: Activity, name: Literal["rejected", "traded"]) -> Figure:
    counted = rated(activity)
    why = NO_ORDERS if activity.records else NO_RECORDS
    return ratio(sum(getattr(order, name) for order in counted), len(counted), why)


def trade_figures(activity: Activity) -> list[Named]:
    """Return trades, win rate, realised and expected profit and loss."""
    if not activity.records:
        names = ("trades", "win_rate", "realised_pnl", "expected_pnl")
        return [(name, absent(NO_RECORDS)) for name in names]
    trades = activity.trades
    results = [trade.realised for trade in trades if trade.realised is not None]
    expectations = sum(trade.expected is not None for trade in trades)
    wins, losses = sum(r > 0 for r in results), sum(r < 0 for r in results)
    return [
        ("trades", of(len(trades))),
        ("with_result", of(len(results))),
        ("wins", of(wins)),
        ("losses", of(losses)),
        ("win_rate", ratio(wins, len(results), "no_results" if trades else "no_trades")),
        ("realised_pnl", realised_pnl(activity)),
        ("with_expectation", of(expectations)),
        ("expected_pnl", _sum(trades, "expected", "no_expectations")),
    ]


def realised_pnl(activity: Activity) -> Figure:
    """Return what the trades brought in, or why nobody can tell."""
    if not activity.records:
        return absent(NO_RECORDS)
    return _sum(activity.trades, "realised", "no_results")


@dataclass(frozen=True, slots=True)
class Money(Figure):
    """An amount: people see every digit of it, too."""

    def text(self, words: Words) -> str:
        """Return it as people read it: ``-1.3 USDT``."""
        return f"{self.cell()} {self.unit}".rstrip()


def _sum(trades: list[Order], name: Literal["realised", "expected"], why: str) -> Figure:
    """Return the sum of amounts of one currency: different ones can't be added."""
    stated = [trade for trade in trades if getattr(trade, name) is not None]
    if not stated:
        return absent(why if trades else "no_trades")
    currencies = sorted({trade.currency or "?" for trade in stated})
    if len(currencies) > 1:
        return absent("currencies", names=", ".join(currencies))
    total = reduce(_EXACT.add, (getattr(trade, name) for trade in stated), Decimal(0))
    return Money(total, stated[0].currency or "")


# --- latency -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Latency:
    """How long answers to orders took, in milliseconds."""

    samples: tuple[Decimal, ...]
    method: str
    """stated: the bot's own number; between: from intent to first result; none."""
    backward: int = 0
    """Answers from before the question: clocks differ, and they count for nothing."""

    def percentile(self, percent: int) -> Figure:
        """Return the nearest-rank percentile: one of the samples."""
        return quantile(self.samples, percent, "no_latency", "ms")

    def figures(self) -> list[Named]:
        """Return the percentiles, and of how many samples."""
        shown: list[Named] = [(f"p{percent}", self.percentile(percent)) for percent in PERCENTILES]
        return [*shown, ("samples", of(len(self.samples))), ("backward", of(self.backward))]


def latency(activity: Activity) -> Latency:
    """Return the latencies that the bot states; if none, the times from intent to first result."""
    sent = rated(activity)
    stated = [order.latency_ms for order in sent if order.latency_ms is not None]
    if stated:
        kept = tuple(value for value in stated if value >= 0)
        return Latency(kept, "stated", len(stated) - len(kept))
    between = [
        rounded(Decimal((order.answered_at - order.meant_at) // timedelta(microseconds=1)) / 1000)
        for order in sent
        if order.meant_at is not None and order.answered_at is not None
    ]
    kept = tuple(value for value in between if value >= 0)
    return Latency(kept, "between" if between else "none", len(between) - len(kept))
