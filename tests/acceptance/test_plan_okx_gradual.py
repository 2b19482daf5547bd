"""The plan okx-gradual, as shipped: mock, real, paused; HTTP first, the control file where that is lost."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from tests.support.commands import Rollout
from tests.support.plans import HOUR, MINUTE, Desk

CONFIG = "capital_fraction: 0.005\nSINGLE_TRADE_MAX_LOSS_PCT: 0.005\nDAILY_MAX_LOSS_PCT: 0.02\n"
GOOD = {
    "exchange_error_rate": 0, "data_delay_seconds": 1, "last_price": 60_000, "order_failure_rate": 0.01,
}  # fmt: skip
JUDGED = ("order_failure_rate", "order_intents_total")


class Okx(Desk):
    """The desk, with a table of trades and a backtest."""

    def __init__(self, folder: Path, rollout: Rollout, dsn: str) -> None:
        super().__init__(folder, rollout, "okx-gradual", CONFIG)
        self._dsn = dsn
        self.of("config", "put", folder / "config.yaml", "--in-force", "--stable", "--tag", "small")
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE trades (ts timestamptz)")
        self.adopt()

    def trade(self) -> None:
        """Have the newest trade be of this moment."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute("INSERT INTO trades VALUES (%s)", [self.now])

    def backtest(self, sharpe: float) -> None:
        path = self.put_file(
            "data/backtest_summary.json",
            json.dumps({"sharpe": sharpe, "winrate": 0.55, "max_drawdown": 0.03}),
        )
        _set_time(path, self.now)

    def checked(self, *words: str, exits: int = 0) -> dict[str, str]:
        """Return check -> result, and the verdict."""
        params = (
            f"http_admin_url={self.bot.url}",
            f"exchange_time_url={self.bot.url}/time",
            "api_latency_ms=5000",  # a machine that is busy with tests
        )
        given = [word for param in params for word in ("--param", param)]
        found = self.preflight(*given, *words, exits=exits, DATABASE_URL=self._dsn)
        return {k: v if isinstance(v, str) else v["result"] for k, v in found.items()}

    def back_to_real(self) -> None:
        """Go the long way: paused, mock, real, with a fresh GO."""
        self.trade()
        self.backtest(0.5)
        self.of("switch", "--to", "mock")
        assert self.checked()["verdict"] == "GO"
        self.of("switch", "--to", "real")


def _set_time(path: Path, moment: datetime) -> None:
    import os

    os.utime(path, (moment.timestamp(), moment.timestamp()))


@pytest.fixture
def desk(tmp_path: Path, rollout: Rollout, embedded_dsn: str) -> Okx:
    return Okx(tmp_path, rollout, embedded_dsn)


def test_from_the_first_check_to_one_percent(desk: Okx) -> None:
    """S1 from start to end: P1-P7, P24, P25; inconsistencies 18-20. I8, I16."""
    with desk.trading() as bot:
        bot.measures(**GOOD)
        desk.of("switch", "--to", "mock")
        # Inconsistency 18: it is started in mock, and then "switched to mock".
        assert "skipped (already" in desk.of("switch", "--to", "mock").out
        desk.of("phase", "enter", "rehearsal")
        bot.tell(orders=3)
        desk.of("gate", "eval", exits=4)
        for _ in range(3):
            desk.live(4 * MINUTE, *JUDGED, every=MINUTE)
            bot.tell(orders=2)
        desk.of("gate", "eval")
        desk.of("phase", "advance")

        # Neither a stale trade nor a bad backtest passes; and "PASS with skips" is no PASS (19).
        desk.trade()
        desk.backtest(0.15)
        desk.advance(timedelta(seconds=8))
        found = desk.checked(exits=3)
        assert (found["data-latency"], found["backtest"]) == ("FAIL", "FAIL")
        desk.checked("--skip", "data-latency", "--param", "min_sharpe=0.1", exits=3)
        assert "NO_GO" in desk.of("switch", "--to", "real", exits=3).err
        desk.trade()
        desk.backtest(0.5)
        found = desk.checked()
        assert set(found.values()) == {"GO", "PASS"}
        assert len(found) == 7
        desk.of("switch", "--to", "real")
        assert bot.tell(orders=1)["orders"] == ["filled"]
        desk.live(HOUR, *JUDGED, every=MINUTE)
    desk.of("gate", "eval")
    assert "is complete" in desk.of("phase", "advance").out
    audit = desk.folder / "data/audit/2025-12-01.jsonl"
    assert "imported" in desk("import", "jsonl", desk.system, audit).out


def test_back_off_by_http_and_by_the_control_file(desk: Okx) -> None:
    """R4, M5, M6, C12, C13, C16, scenarios 8, 14; inconsistencies 21-23. I5: paused rejects, and says so."""
    with desk.trading() as bot:
        desk.of("switch", "--to", "mock")
        desk.back_to_real()
        told = desk.of("pause", "-o", "json").json
        assert told["carried_by"] == "http_admin"
        assert bot.tell(orders=2)["orders"] == ["rejected", "rejected"]
        assert [(r["status"], r["reason"]) for r in bot.audit() if r["type"] == "order_result"] == [
            ("rejected", "paused"), ("rejected", "paused"),
        ]  # fmt: skip
        # `pause` and `switch --to paused` are one action (22).
        assert "skipped (already" in desk.of("switch", "--to", "paused").out
        told_no = desk.of("switch", "--to", "real", exits=3)
        assert "mock" in told_no.err + told_no.out
        assert [row["type"] for row in desk.happened("ModeSwitchRejected")] == [
            "ModeSwitchRejected"
        ]
        desk.back_to_real()
        bot.tell(manner="hangs")
        assert desk.of("pause", "-o", "json").json["carried_by"] == "control_file"
        assert bot.tell(orders=1)["orders"] == ["rejected"]
        bot.tell(manner="")
        desk.back_to_real()
    # The bot is gone, and its interface with it: the file waits for the next start.
    assert desk.of("pause", "-o", "json").json["carried_by"] == "control_file"
    with desk.trading() as bot:
        assert bot.tell(orders=1)["orders"] == ["rejected"]
        # Two writers that disagree (21): the safer one is believed, and the difference is drift.
        desk.of("switch", "--to", "mock")
        bot.tell(manner="ignores")
        unheard = desk.of("pause", exits=None)
        assert unheard.code != 0
        assert bot.tell(orders=1)["orders"] == ["simulated"]
        assert "was not seen to be paused" in desk.of("log").out
        assert "http_admin" in desk.of("recover", exits=3).out
        drift = desk.of("status", "-o", "json", exits=3).json["drift"]["mode"]
        assert (drift["expected"], drift["found"]) == ("mock", "control_file: paused/halt")


TRIGGERS = {
    # rule -> (what the bot measures then, the metric of the incident, threshold, for)
    "RiskBlocksFrequent": ({}, "risk_blocks_total", "10", 0),
    "PriceOdd": ({"last_price": 48_000}, "last_price", "0.1", 0),
    "ExchangeErrors": ({"exchange_error_rate": 0.2}, "exchange_error_rate", "0.05", 60),
    "DataLate": ({"data_delay_seconds": 9}, "data_delay_seconds", "5", 30),
    "VolumeBurst": ({}, "order_intents_total", None, 60),
}


def test_each_doubt_puts_it_into_paused(desk: Okx) -> None:
    """R1, R2, R3; I9: odd strategy, unsteady exchange, late data; each one pauses and rejects what comes."""
    with desk.trading() as bot:
        bot.measures(**GOOD)
        desk.of("switch", "--to", "mock")
        desk.back_to_real()
        with desk.watched():
            for _ in range(20):
                bot.tell(orders=1)
                desk.rounds(1, 45)
            for rule, (measured, metric, threshold, seconds) in TRIGGERS.items():
                bot.measures(**measured)
                bot.tell(orders=12 * (rule == "RiskBlocksFrequent"), blocked=True)
                for _ in range(8):
                    bot.tell(orders=40 * (rule == "VolumeBurst"))
                    desk.rounds(1)
                    if desk.mode() == "paused":
                        break
                assert bot.tell(orders=1)["orders"] == ["rejected"], desk.watch_said()
                bot.measures(**GOOD)
                desk.rounds(7, 45)
                incident = desk.recorded(
                    rule, "paused", metric=metric, threshold=threshold, for_seconds=seconds
                )
                modes = {"before": "real", "after": "paused/halt"}
                assert incident["mode_before_after"] == modes
                desk.back_to_real()
