"""What a day's order activity comes to: nothing is guessed, nothing is rounded, nothing is counted twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest

from ledger.domain.errors import BadInput
from projections.reports import order_figures, parts
from projections.reports.diagnosis import Limits, diagnose, limits_of
from projections.reports.figures import Figure
from projections.reports.orders import Activity, Record, tally
from projections.reports.period import day_of
from projections.reports.sheet import term
from projections.reports.words import words_in

START = datetime(2026, 2, 1, 9, tzinfo=UTC)
EN = words_in("en")


def said(second: float, kind: str, *, under: str | None = None, **fields: Any) -> Record:
    texts = {key: orjson.dumps(value).decode() for key, value in fields.items()}
    return Record(START + timedelta(seconds=second), kind, texts, under)


def placed(number: int, status: str, second: float = 0, **more: Any) -> Iterator[Record]:
    yield said(second, "order_intent", id=number)
    yield said(second + 0.1, "order_result", id=number, status=status, **more)


def day(*orders: Iterator[Record]) -> Activity:
    return tally(record for order in orders for record in order)


def shown(figures: list[tuple[str, Figure]]) -> dict[str, str]:
    return {name: figure.text(EN) for name, figure in figures}


def test_orders_filled_in_a_pause_are_named() -> None:
    """A pause rejects every order: one that was filled all the same is nothing to look past."""
    activity = day(
        iter([said(0, "order_intent", id=1, under="paused"),
              said(1, "order_result", id=1, status="filled")]),
        placed(2, "filled"),
    )  # fmt: skip
    remarks = parts.orders_section(activity).remarks
    assert term("part.orders.filled_in_pause", count=1) in remarks
    assert not parts.orders_section(day(placed(2, "filled"))).remarks


def test_each_order_is_counted_once_by_what_became_of_it() -> None:
    """Several results of one order: the one that says most counts."""
    activity = day(
        iter([said(0, "order_intent", id=1), said(1, "order_result", id=1, status="NEW"),
              said(2, "order_result", id=1, status="PARTIALLY_FILLED"),
              said(3, "order_result", id=1, status="FILLED"),
              said(4, "order_result", id=1, state="live")]),
        placed(2, "canceled"), placed(3, "rejected"), placed(4, "partially-filled"),
        placed(5, "flummoxed"), iter([said(0, "order_intent", id=6)]),
        iter([said(0, "order_intent", id=7), said(1, "risk_block", id=7, rule="MAX")]),
        iter([said(0, "risk_event", event="halt")]),
    )  # fmt: skip
    told = shown(order_figures.order_figures(activity))
    assert told == {
        "intents": "7", "blocked": "1", "simulated": "0", "submitted": "6", "filled": "1", "partly": "1",
        "rejected": "1", "rejected_while_paused": "0", "cancelled": "1", "open": "0", "unanswered": "1",
        "unknown": "1", "reject_rate": "16.6667 %", "fill_rate": "33.3333 %",
        "risk_events": "1",
    }  # fmt: skip
    assert activity.unknown_words == ["flummoxed"]


def test_an_id_that_a_bot_begins_anew_is_another_order() -> None:
    """A bot that counts from one after each start must not lose its morning."""
    activity = day(placed(1, "filled"), placed(1, "rejected", 60))
    assert [order.outcome for order in activity.orders] == ["filled", "rejected"]


def test_simulated_orders_are_no_trades() -> None:
    """A rehearsal's profit is none."""
    activity = day(
        placed(1, "simulated", pnl=5),
        placed(2, "filled", dry_run=True, pnl=7),
        placed(3, "filled", mode="mock", pnl=11),
        placed(4, "filled", pnl=1),
    )
    told = shown(order_figures.trade_figures(activity))
    assert (told["trades"], told["realised_pnl"]) == ("1", "1")
    assert shown(order_figures.order_figures(activity))["simulated"] == "3"


def test_a_pause_is_no_high_reject_rate() -> None:
    """M5: while paused every order is rejected and audited. By the record's word, or by the ledger's."""
    activity = day(
        placed(1, "filled"),
        placed(2, "rejected", reason="paused"),
        iter([said(0, "order_intent", id=3, under="paused"),
              said(1, "order_result", id=3, status="rejected", under="paused")]),
    )  # fmt: skip
    told = shown(order_figures.order_figures(activity))
    assert (told["rejected"], told["rejected_while_paused"], told["reject_rate"]) == (
        "2",
        "2",
        "0 %",
    )


def test_money_is_added_digit_by_digit() -> None:
    """No float drift: ten times 0.1 is 1, and the smallest amount is still in the largest sum."""
    tenths = [placed(n, "filled", pnl=0.1, expected_pnl="0.2") for n in range(10)]
    told = shown(order_figures.trade_figures(day(*tenths)))
    assert (told["realised_pnl"], told["expected_pnl"], told["win_rate"]) == ("1", "2", "100 %")
    far = day(placed(1, "filled", pnl="123456789012345678901"), placed(2, "filled", pnl="-1E-18"))
    assert shown(order_figures.trade_figures(far))["realised_pnl"] == (
        "123456789012345678900.999999999999999999"
    )


def test_what_is_not_there_is_absent_with_a_reason() -> None:
    """I8: no number is invented where nothing was recorded."""
    nothing = tally([])
    for name, figure in (
        *order_figures.order_figures(nothing), *order_figures.trade_figures(nothing),
    ):  # fmt: skip
        assert figure.text(EN) == "— (no order activity is in the ledger)", name
    told = shown(order_figures.trade_figures(day(placed(1, "filled"))))
    assert told["realised_pnl"] == "— (no trade says what it brought in)"
    assert told["win_rate"] == "— (no trade says what it brought in)"
    assert shown(order_figures.trade_figures(day(placed(1, "open"))))["win_rate"] == (
        "— (no order was filled)"
    )
    mixed = day(
        placed(1, "filled", pnl=1, currency="USDT"), placed(2, "filled", pnl=1, currency="BTC")
    )
    assert shown(order_figures.trade_figures(mixed))["realised_pnl"] == (
        "— (amounts in different currencies can't be added: BTC, USDT)"
    )
    alike = day(placed(1, "filled", pnl=1, currency="USDT"))
    assert shown(order_figures.trade_figures(alike))["realised_pnl"] == "1 USDT"


def test_percentiles_are_samples_by_nearest_rank() -> None:
    hundred = day(*(placed(n, "filled", latency_ms=n) for n in range(1, 101)))
    latency = order_figures.latency(hundred)
    told = shown(latency.figures())
    assert (told["p50"], told["p95"], told["p99"]) == ("50 ms", "95 ms", "99 ms")
    assert (latency.method, told["samples"]) == ("stated", "100")
    one = order_figures.latency(day(placed(1, "filled", latency_ms=7.5)))
    assert {one.percentile(p).text(EN) for p in (50, 95, 99)} == {"7.5 ms"}


def test_latency_is_the_time_between_where_the_bot_states_none() -> None:
    """An answer from before the question tells of clocks, not of a market."""
    activity = day(
        placed(1, "filled"),
        iter([said(5, "order_intent", id=2), said(4, "order_result", id=2, status="filled")]),
    )
    latency = order_figures.latency(activity)
    assert (latency.samples, latency.method, latency.backward) == ((Decimal(100),), "between", 1)
    assert order_figures.latency(day()).percentile(95).text(EN) == "— (no latency was recorded)"


def test_the_diagnosis_says_what_it_can_not_tell() -> None:
    """I8: without evidence the verdict is not "fine"."""
    empty = tally([])
    findings = diagnose(empty, order_figures.latency(empty), Limits())
    assert {finding.verdict for finding in findings} == {"unclear"}
    bad = day(
        placed(1, "rejected"),
        placed(2, "filled", pnl=-1, latency_ms=500),
        placed(3, "cancelled"),
    )
    findings = diagnose(bad, order_figures.latency(bad), Limits())
    assert {finding.verdict for finding in findings} == {"found"}
    lenient = limits_of(["reject_rate=40", "fill_rate=30", "latency_p95=501", "pnl=-1"])
    findings = diagnose(bad, order_figures.latency(bad), lenient)
    assert {finding.verdict for finding in findings} == {"fine"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("rejects_rate=1", "Did you mean 'reject_rate'"),
        ("pnl=much", "no number"),
        ("pnl", "no number"),
    ],
)
def test_limits_that_are_none(given: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        limits_of([given])


def test_days() -> None:
    """A day is a calendar's: of 23 hours where clocks are set on; by default the last that is over."""
    from zoneinfo import ZoneInfo

    now = datetime(2026, 2, 1, 20, tzinfo=UTC)
    shanghai = ZoneInfo("Asia/Shanghai")
    day = day_of(None, shanghai, "Asia/Shanghai", now)
    assert (day.date.isoformat(), day.period.until.isoformat()) == (
        "2026-02-01", "2026-02-01T16:00:00+00:00",
    )  # fmt: skip
    berlin = ZoneInfo("Europe/Berlin")
    short = day_of("20250330", berlin, "Europe/Berlin", now).period
    assert short.until - short.since == timedelta(hours=23)
    assert day_of("2026-02-01", UTC, "UTC", now).is_over(now) is False
    for bad in ("20260230", "yesterday", "00010101", "20260202"):
        with pytest.raises(BadInput):
            day_of(bad, UTC, "UTC", now)
