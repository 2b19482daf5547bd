"""Daily, stop and monitoring reports of one day of a bot, through the real command line."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Rollout, Told
from tests.support.goldens import check_golden

DAY = datetime(2026, 2, 1, tzinfo=UTC)
PLAN = """
profile: polyarb-x
environment: production
rules: [rules/slo.yaml]
metrics: [{name: stats, kind: json_file, path: stats.json, values: {ece: ece, latency_p95: latency_p95}}]
watch: {interval: 15s, lookback: 1m, dead_man: 2m}
reports: {stop: zh}
phases:
  - name: micro
    mode: real
    exposure: {size: 10}
    scope: {symbols: [BTCUSDT]}
    kill: [{name: brier, expr: "brier > 0.2", for: 2m, action: rollback, cooldown: 30m}]
"""
RULES = """
groups:
  - name: slo
    rules:
      - alert: EceHigh
        expr: ece > 0.1
        for: 2m
        labels: {severity: critical}
        annotations: {rollout_action: rollback, rollout_cooldown: 30m}
      - {alert: LatencyHigh, expr: latency_p95 > 500, annotations: {rollout_action: pause}}
"""
MASKS = {
    r"`[0-9a-f]{64}`": "`CHAIN`",
    r"^(\| (?:Positions|账本位置) \|).*$": r"\1 … |",
    r"^(\| (?:Read models|读模型) \|).*$": r"\1 … |",
    r"^(\| (?:Machine|Process|机器|进程|Machine and process|机器与进程|Command|命令) \|).*$": r"\1 … |",
    r"^(\| (?:Lasted|持续) \|).*$": r"\1 … |",
    r"^(\| (?:Last run|最近一次运行) \| \S+ \(\w+\)).*$": r"\1 … |",
    r"^(\| (?:The plan's fingerprint|计划指纹|Plan|上线计划) \| sha256:).*$": r"\1… |",
}
# What the bot does while it runs: [time, rollout's arguments]; "edit" stands for somebody's own hand.
CHILD = """
import json, pathlib, subprocess, sys
folder = pathlib.Path(sys.argv[1])
for time, *words in json.loads((folder / "script.json").read_text()):
    staged = folder / "clock.next"
    staged.write_text("2026-02-01T" + time + "+00:00")
    staged.rename(folder / "clock")
    if words and words[0] == "edit":
        (folder / words[1]).write_text(words[2])
    elif words:
        subprocess.run([sys.executable, "-m", "cli.main", *words], check=True, stdout=2)
"""
MEANWHILE = [
    ["10:05:00", "alert", "raise", "bot", "HIGH_REJECT_RATE", "-m", "5 % | <b>more</b>"],
    ["10:10:00", "pause", "bot", "--kind", "reduce-only", "--reason", "rejects"],
    ["10:20:00", "alert", "resolve", "bot", "HIGH_REJECT_RATE"],
    ["10:25:00", "resume", "bot", "--reason", "quiet again"],
    ["10:40:00", "edit", "config.yaml", "size: 7\n"],
    ["10:45:00", "rollback", "bot", "--last-stable", "--reason", "seven was nobody's decision"],
    ["11:00:00", "alert", "raise", "bot", "LOW_BALANCE", "--severity", "critical"],
    ["12:00:00"],
]


class Desk:
    """A bot, a clock and a day."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self.folder = folder
        env = {"ROLLOUT_CLOCK": str(folder / "clock"), "ROLLOUT_YES": "1"}
        self.rollout = Rollout(folder / "home", dsn, env=env)
        self.at("08:00")
        (folder / "rules").mkdir()
        (folder / "rules" / "slo.yaml").write_text(RULES)
        (folder / "plan.yaml").write_text(PLAN)
        (folder / "config.yaml").write_text("size: 3\n")
        self("system", "add", "bot", "--control-file", folder / "mode.json", "--config-file",
             folder / "config.yaml")  # fmt: skip

    def __call__(self, *words: str | Path, exits: int | None = 0, **env: str) -> Told:
        return self.rollout(*words, exits=exits, **env)

    def at(self, time: str, day: datetime = DAY) -> None:
        hours, minutes = map(int, time.split(":"))
        moment = day + timedelta(hours=hours, minutes=minutes)
        (self.folder / "clock").write_text(moment.isoformat())

    def begins(self) -> None:
        """Have a plan, a phase, a stable configuration and then another one; go to real."""
        config = self.folder / "config.yaml"
        self(
            "config", "put", "bot", config, "--in-force", "--stable", "--tag", "good", "-r", "first"
        )
        self("profile", "adopt", "bot", self.folder / "plan.yaml", "-r", "as agreed")
        self("phase", "enter", "bot", "micro", "-r", "day one")
        self("switch", "bot", "--to", "mock", "-r", "rehearsal")
        self.at("09:00")
        self("switch", "bot", "--to", "real", "-r", "go")
        self.at("09:30")
        (self.folder / "next.yaml").write_text("size: 5\n")
        self(
            "config",
            "put",
            "bot",
            self.folder / "next.yaml",
            "--as",
            "config.yaml",
            "--tag",
            "more",
        )
        self("config", "apply", "bot", "more", "-r", "five a trade")

    def runs(self) -> None:
        """Run the bot from 10:00 to 12:00, with all that happens meanwhile."""
        (self.folder / "script.json").write_text(json.dumps(MEANWHILE))
        (self.folder / "child.py").write_text(CHILD)
        self.at("10:00")
        self("run", "bot", "--out", self.folder / "runtime", "--countdown", "0", "--run-tag",
             "20260201_T+0", "-r", "first day", "--", sys.executable, self.folder / "child.py",
             self.folder)  # fmt: skip

    def trades(self, path: str = "2026-02-01.jsonl", more: int = 0) -> Path:
        """Write the day's audit file as the bot of seed 001 would, and bring it in."""
        file = self.folder / path
        file.write_text("".join(f"{json.dumps(line)}\n" for line in day_of_orders(more)))
        self("import", "jsonl", "bot", file)
        return file

    def watches(self) -> None:
        """Have somebody look twice: one condition has begun to hold, one has no data."""
        for time, ece in (("12:30", 0.05), ("12:31", 0.13)):
            self.at(time)
            (self.folder / "stats.json").write_text(json.dumps({"ece": ece, "latency_p95": 100}))
            self("watch", "bot", "--once", "--base", self.folder)
        self("alert", "silence", "bot", "LOW_BALANCE", "--for", "2h", "-r", "topped up")

    def report(self, *words: str, lang: str = "en") -> tuple[Path, Any]:
        """Make a report; return its folder and its JSON."""
        out = self.folder / "out" / f"{words[0]}-{lang}"
        self("report", *words, "--lang", lang, "--out", out, "--replace")
        return out, json.loads((out / f"{words[0]}.json").read_text())


def day_of_orders(more: int = 0) -> list[dict[str, Any]]:
    """Return forty orders: filled but for every tenth; a pause, a risk block, a risk event."""
    lines: list[dict[str, Any]] = []

    def say(at: datetime, kind: str, **fields: Any) -> None:
        lines.append({"timestamp": at.isoformat(), "type": kind, **fields})

    for number in range(1, 41 + more):
        at = DAY + timedelta(hours=9, minutes=30, seconds=60 * (number % 60), milliseconds=number)
        say(at, "order_intent", id=number, symbol="BTCUSDT", size=5, expected_pnl=0.1)
        after = at + timedelta(milliseconds=100 + number)
        if number == 7:
            say(after, "risk_block", id=number, rule="SINGLE_TRADE_MAX_LOSS_PCT")
        elif number % 10 == 0:
            say(after, "order_result", id=number, status="rejected", reason="insufficient margin")
        else:
            pnl = -0.5 if number % 4 == 0 else 0.1
            say(after, "order_result", id=number, status="filled", pnl=pnl)
    paused = DAY + timedelta(hours=10, minutes=12)
    say(paused, "order_intent", id=900, symbol="BTCUSDT", size=5)
    say(paused, "order_result", id=900, status="rejected", reason="paused")
    say(paused, "risk_event", event="halt")
    lines.sort(key=lambda line: str(line["timestamp"]))
    return lines


@pytest.fixture
def desk(tmp_path: Path, embedded_dsn: str) -> Desk:
    return Desk(tmp_path, embedded_dsn)


def facts(document: Any, section: str) -> dict[str, Any]:
    """Return a section's facts; a figure as its text."""
    return {
        name: value.get("value", value.get("text")) if isinstance(value, dict) else value
        for name, value in document["sections"][section]["facts"].items()
    }


def test_the_reports_of_a_day_in_both_languages(desk: Desk) -> None:
    """I7, I11, I13: what was read through once is what is said, in English and in Chinese."""
    desk.begins()
    desk.runs()
    written = json.loads((desk.folder / "runtime/stop_report/stop.json").read_text())
    assert (written["language"], facts(written, "run")["exit"]) == ("zh", "退出码 0")
    desk.trades()
    desk.watches()
    masks = {re.escape(str(desk.folder)): "FOLDER", **MASKS}
    for lang in ("en", "zh"):
        for words in (
            ("monitoring", "bot"),
            ("stop", "bot"),
            ("daily", "bot", "--date", "20260201"),
        ):
            folder, _ = desk.report(*words, lang=lang)
            text = (folder / f"{words[0]}.md").read_text()
            check_golden(f"{words[0]}.{lang}.md", text, masks)
            page = (folder / f"{words[0]}.html").read_text()
            assert f'<html lang="{lang}">' in page
            assert "<b>" not in page
            assert not re.search(r"""(?:src|href)=["'](?!data:)""", page), "self-contained"
    assert len(desk.rollout.log("bot", "ReportGenerated")) == 7


def test_the_figures_are_those_of_the_file(desk: Desk) -> None:
    """The sums by another way: counted and added from the lines themselves."""
    desk.trades()
    desk.at("00:10", DAY + timedelta(days=1))
    _, document = desk.report("daily", "bot")
    results = [line for line in day_of_orders() if line["type"] == "order_result"]
    pnl = [Decimal(str(line["pnl"])) for line in results if "pnl" in line]
    told = facts(document, "orders")
    assert (told["submitted"], told["blocked"]) == (str(len(results)), "1")
    assert (told["filled"], told["rejected"]) == (str(len(pnl)), str(len(results) - len(pnl)))
    assert told["rejected_while_paused"] == "1"
    trades = facts(document, "trades")
    assert Decimal(trades["realised_pnl"]) == sum(pnl)
    assert trades["wins"] == str(sum(one > 0 for one in pnl))
    assert facts(document, "latency") == {
        "p50": "121", "p95": "139", "p99": "140", "samples": "39", "backward": "0",
    }  # fmt: skip
    findings = document["sections"]["diagnosis"]["tables"]["findings"]
    assert {f["question"]["word"]: f["verdict"]["word"] for f in findings} == {
        "reject_rate": "found", "fill_rate": "fine", "latency_p95": "fine", "pnl": "found",
    }  # fmt: skip


def test_a_day_begins_at_somebodys_midnight(desk: Desk) -> None:
    """Each record falls into exactly one day of a zone; the report says which moments those are."""
    desk.trades()
    desk.at("00:10", DAY + timedelta(days=2))
    total = len(day_of_orders())
    before = sum(str(line["timestamp"]) < "2026-02-01T10:00" for line in day_of_orders())
    assert 0 < before < total
    for zone, date, records in (
        ("UTC", "20260201", total), ("UTC", "20260131", 0), ("-10:00", "20260131", before),
        ("-10:00", "20260201", total - before),
    ):  # fmt: skip
        _, document = desk.report("daily", "bot", "--date", date, "--tz", zone)
        assert facts(document, "evidence")["records"] == str(records), (zone, date)
    since = document["sections"]["evidence"]["facts"]["since"]
    assert (since, document["provenance"]["since"]) == ("2026-02-01T10:00:00.000000Z",) * 2


def test_a_date_with_no_data_is_a_report_that_says_so(desk: Desk) -> None:
    """I8: no number is invented, and nothing is called fine."""
    desk.at("00:10", DAY + timedelta(days=1))
    folder, document = desk.report("daily", "bot")
    assert "No order activity of this time is in the ledger" in (folder / "daily.md").read_text()
    for section in ("trades", "orders", "latency"):
        for name, fact in document["sections"][section]["facts"].items():
            assert fact["value"] is None or name in {"samples", "backward"}
    findings = document["sections"]["diagnosis"]["tables"]["findings"]
    assert {finding["verdict"]["word"] for finding in findings} == {"unclear"}
    desk.report("monitoring", "bot")
    assert "No plan is adopted" in (desk.folder / "out/monitoring-en/monitoring.md").read_text()


def test_the_same_ledger_gives_the_same_report(desk: Desk) -> None:
    """I7: made twice it is the same but for the time of making; a late import shows, and is said."""
    desk.trades()
    desk.at("00:10", DAY + timedelta(days=1))
    _, first = desk.report("daily", "bot")
    _, second = desk.report("daily", "bot")
    assert first == second
    desk.trades("2026-02-01-late.jsonl", more=10)
    _, third = desk.report("daily", "bot")
    assert third["provenance"]["to_position"] > first["provenance"]["to_position"]
    assert int(facts(third, "orders")["submitted"]) == int(facts(first, "orders")["submitted"]) + 10


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("daily", "bot", "--date", "20260230"), "'20260230' is no day"),
        (("daily", "bot", "--date", "20260301"), "has not begun in UTC"),
        (("daily", "bot", "--lang", "de"), "There is no language 'de'"),
        (("daily", "bot", "--tz", "Mars"), "no such time zone"),
        (("daily", "bot", "--limit", "rejct_rate=1"), "Did you mean 'reject_rate'?"),
        (("daily", "nobody"), "There is no system 'nobody'"),
        (("stop", "bot"), "No run of bot is on record"),
        (("monitoring", "nobody"), "There is no system 'nobody'"),
    ],
)
def test_bad_input_is_one_clear_line_and_no_folder(
    desk: Desk, words: tuple[str, ...], says: str
) -> None:
    out = desk.folder / "out"
    told = desk("report", *words, "--out", out, exits=2)
    assert says in told.err
    assert not out.exists()


def test_a_report_never_takes_the_place_of_something_else(desk: Desk) -> None:
    """The folder that is there stays as it is, and nothing is recorded."""
    out = desk.folder / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    desk("report", "daily", "bot", "--out", out, exits=2)
    desk("report", "daily", "bot", "--out", out, "--replace", exits=2)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    assert desk.rollout.log("bot", "ReportGenerated") == []


def test_a_report_that_can_not_be_written_changes_no_exit_code(desk: Desk) -> None:
    """The run is over and recorded; its report can be made later."""
    desk("profile", "adopt", "bot", desk.folder / "plan.yaml")
    taken = desk.folder / "runtime/stop_report"
    taken.mkdir(parents=True)
    (taken / "mine.txt").write_text("mine")
    told = desk("run", "bot", "--out", desk.folder / "runtime", "--countdown", "0", "--",
                sys.executable, "-c", "raise SystemExit(7)", exits=7)  # fmt: skip
    assert "holds mine.txt" in told.err
    _, document = desk.report("stop", "bot")
    assert facts(document, "run")["exit"] == "exit code 7"


def test_a_run_that_goes_on_and_one_whose_end_nobody_saw(desk: Desk) -> None:
    """I8, I12: how long it took is not invented where its supervisor died."""
    program = (
        "import os, signal, subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'cli.main', 'report', 'stop', 'bot', '--out', sys.argv[1]],"
        " check=True)\n"
        "os.kill(os.getppid(), signal.SIGKILL)\n"
    )
    out = desk.folder / "running"
    desk("run", "bot", "--out", desk.folder / "runtime", "--countdown", "0", "--run-tag", "t1", "--",
         sys.executable, "-c", program, str(out), exits=None)  # fmt: skip
    running = json.loads((out / "stop.json").read_text())
    assert facts(running, "run")["ended"] == "it runs still"
    desk("run", "bot", "--out", desk.folder / "runtime", "--countdown", "0", "--run-tag", "t2", "--",
         sys.executable, "-c", "pass")  # fmt: skip
    _, killed = desk.report("stop", "bot", "--run-tag", "t1")
    told = facts(killed, "run")
    assert (told["ended"], told["lasted"]) == ("it crashed: nobody had asked it to stop", None)
    assert "the supervisor was found dead" in killed["sections"]["run"]["remarks"][0]
