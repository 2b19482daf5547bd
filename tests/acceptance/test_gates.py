"""Preflight, gates, approvals, phases: through the real command line, in compressed time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Rollout, Told

START = datetime(2025, 12, 1, tzinfo=UTC)
PROFILE = """
profile: canary
environment: production
params: {min_sharpe: 0.2}
modes:
  real: {preflight: 30m, approvals: {roles: {ops_lead: 1}}}
checks:
  - {name: backtest, kind: json_thresholds, priority: P0, path: backtest.json,
     values: {sharpe: {min: "${min_sharpe}"}}}
  - {name: disk, kind: disk_space, priority: P2, path: ., min_free: 1MB}
phases:
  - name: shadow
    mode: mock
    min_duration: 24h
    success:
      - {name: auc, expr: fusion_auc >= 0.58, every: 10m, max_gap: 15m}
      - {name: quiet, no_alerts: critical, max_gap: 15m}
  - name: micro_live
    mode: real
    exposure: {size: 2}
    entry: {approvals: {roles: {dev_lead: 1, test_lead: 1, ops_lead: 1}}}
"""


class Desk:
    """A bot with a plan, and a clock that the test moves."""

    def __init__(self, tmp_path: Path, rollout: Rollout) -> None:
        self.folder = tmp_path
        self._rollout = rollout
        self._clock = tmp_path / "clock"
        self.now = START
        self.advance(timedelta(0))
        (tmp_path / "config.yaml").write_text("size: 2\n")
        (tmp_path / "plan.yaml").write_text(PROFILE)
        self.backtest(0.5)
        self("system", "add", "bot", "--control-file", tmp_path / "mode.json",
             "--config-file", tmp_path / "config.yaml")  # fmt: skip
        self("config", "put", "bot", tmp_path / "config.yaml", "--in-force", "--stable")
        self("profile", "adopt", "bot", tmp_path / "plan.yaml")
        self("switch", "bot", "--to", "mock")

    def __call__(self, *words: str | Path, exits: int = 0, **env: str) -> Told:
        given = {"ROLLOUT_CLOCK": str(self._clock), "ROLLOUT_YES": "1", "ROLLOUT_REASON": "agreed"}
        return self._rollout(*words, exits=exits, **{**given, **env})

    def advance(self, span: timedelta) -> None:
        self.now += span
        self._clock.write_text(self.now.isoformat())

    def backtest(self, sharpe: float) -> None:
        (self.folder / "backtest.json").write_text(json.dumps({"sharpe": sharpe}))

    def preflight(self, *words: str, exits: int = 0) -> Told:
        return self("preflight", "run", "bot", "--base", self.folder, *words, exits=exits)

    def grant(self, subject: str, *roles: str) -> None:
        """Ask for an approval of ``subject``, and have one person of each role give it."""
        self("approve", "request", "bot", subject)
        requests: Any = self("approve", "list", "bot", "-o", "json").json
        name = next(one["request"] for one in requests if one["subject"] == subject)
        for role in roles:
            self("approve", "grant", "bot", name, "--role", role, ROLLOUT_ACTOR=f"human:{role}")

    def record(self, minutes: int, every: int, value: float) -> None:
        """Let time pass, with a value of fusion_auc now and then."""
        lines = []
        for _ in range(0, minutes, every):
            self.advance(timedelta(minutes=every))
            sample = {"metric": "fusion_auc", "value": value, "at": self.now.isoformat()}
            lines.append(json.dumps(sample) + "\n")
        (self.folder / "metrics.jsonl").write_text("".join(lines))
        self("metrics", "put", "bot", "--file", self.folder / "metrics.jsonl")


@pytest.fixture
def desk(tmp_path: Path, rollout: Rollout) -> Desk:
    return Desk(tmp_path, rollout)


def test_real_needs_a_fresh_go_for_this_configuration_and_a_yes(desk: Desk) -> None:
    """I8: a GO that is too old, or was made for another configuration or plan, is none."""
    assert "none was run" in desk("switch", "bot", "--to", "real", exits=4).err
    desk.preflight()
    desk.grant("mode:real", "ops_lead")
    desk.advance(timedelta(minutes=31))
    assert "not older than 30m" in desk("switch", "bot", "--to", "real", exits=3).err
    desk.preflight()
    (desk.folder / "config.yaml").write_text("size: 1\n")
    desk("config", "put", "bot", desk.folder / "config.yaml", "--in-force")
    assert "was made for another" in desk("switch", "bot", "--to", "real", exits=3).err
    desk.preflight()
    told = desk("switch", "bot", "--to", "real", exits=8)
    assert "the configuration has changed since it was given" in told.err
    desk.grant("mode:real", "ops_lead")
    desk("switch", "bot", "--to", "real")
    desk("pause", "bot")  # and a pause needs nothing of all that


def test_real_needs_a_go_wherever_there_are_checks(desk: Desk) -> None:
    """I8: a plan that names no guard is guarded all the same; only one that says null needs none."""
    path = desk.folder / "plan.yaml"
    guard = "  real: {preflight: 30m, approvals: {roles: {ops_lead: 1}}}"
    path.write_text(
        PROFILE.replace(guard, "  mock: {}").replace("checks:", "preflight: {max_age: 5m}\nchecks:")
    )
    desk("profile", "adopt", "bot", path)
    assert "none was run" in desk("switch", "bot", "--to", "real", exits=4).err
    desk.preflight()
    desk.advance(timedelta(minutes=6))
    assert "not older than 5m" in desk("switch", "bot", "--to", "real", exits=3).err
    path.write_text(PROFILE.replace(guard, "  real: {preflight: null}"))
    desk("profile", "adopt", "bot", path)
    desk("switch", "bot", "--to", "real")


def test_a_skipped_p0_is_no_go(desk: Desk) -> None:
    """I8, scenario: PASS with skips is no PASS; a waiver by a person is another thing, and is shown."""
    desk.preflight("--skip", "backtest", exits=3)
    assert "backtest" in desk("switch", "bot", "--to", "real", exits=3).err
    desk("gate", "waive", "bot", "check:backtest", "--until", "2h")
    told = desk.preflight("--skip", "backtest")
    assert "WAIVED" in told.out
    assert "waived: W-" in told.out
    assert "check:backtest" in desk("gate", "show", "bot").out
    desk.advance(timedelta(hours=3))
    desk.preflight("--skip", "backtest", exits=3)
    assert "did you mean 'backtest'" in desk.preflight("--skip", "bactest", exits=2).err


def test_the_measured_value_stands_beside_the_threshold(desk: Desk) -> None:
    desk.backtest(0.15)
    told = desk.preflight("-o", "json", exits=3)
    (backtest,) = [one for one in told.json["results"] if one["name"] == "backtest"]
    assert backtest["result"] == "FAIL"
    assert "0.15" in backtest["measured"]
    assert "0.2" in backtest["threshold"]
    assert "judged with" not in desk("status", "bot").out
    lowered = "judged with min_sharpe=0.1 (plan: 0.2)"
    assert lowered in desk.preflight("--param", "min_sharpe=0.1").out
    assert lowered in desk("preflight", "show", "bot").out
    assert f"GO just now, {lowered}" in desk("status", "bot").out
    shown = desk("preflight", "show", "bot", "-o", "json").json
    assert (shown["params"], shown["params_of_plan"]) == (
        {"min_sharpe": "0.1"},
        {"min_sharpe": "0.2"},
    )
    assert "did you mean 'min_sharpe'" in desk.preflight("--param", "min_sharp=1", exits=2).err


def test_breaking_the_glass(desk: Desk) -> None:
    """A person, a reason, an end; and only a person."""
    words = ("gate", "waive", "bot", "mode:real", "--break-glass", "--until", "30m")
    assert "no person" in desk(*words, exits=3, ROLLOUT_ACTOR="rule:x").err
    assert "reason" in desk(*words, exits=2, ROLLOUT_REASON="").err
    told = desk(*words[:-1], "9000d", exits=3).err
    assert "a waiver lasts 7d at most, and this one would last 9000d" in told
    assert "Say --until 7d or less" in told
    desk(*words)
    desk("switch", "bot", "--to", "real")
    told = desk("log", "bot").out
    assert "broke the glass for mode:real" in told
    assert "asked for real, the glass broken by W-" in told


@pytest.mark.parametrize(
    ("subject", "told"),
    [
        ("mode:rael", "did you mean 'mode:real'?"),
        ("phase:shdow", "did you mean 'phase:shadow'?"),
        ("phase:elsewhere", "It has: phase:shadow, phase:micro_live"),
        ("check:bactest", "did you mean 'check:backtest'?"),
        ("criterion:shadow/acu", "did you mean 'criterion:shadow/auc'?"),
    ],
)
def test_what_the_plan_does_not_have_is_not_waived(desk: Desk, subject: str, told: str) -> None:
    """A typing error at three would otherwise be found when the waiver lets nothing pass."""
    glass = ["--break-glass"] if subject.startswith(("mode", "phase")) else []
    assert told in desk("gate", "waive", "bot", subject, *glass, "--until", "1h", exits=2).err


def test_a_waiver_that_could_change_no_verdict_is_refused(desk: Desk) -> None:
    """I31, I8: accepted, it would look like a way on: of another phase, or of the last evidence there is."""
    desk("phase", "enter", "bot", "shadow")
    words = ("gate", "waive", "bot", "criterion:shadow/auc", "--until", "1h")
    assert "rollout gate eval bot" in desk(*words).err
    refused = desk("gate", "waive", "bot", "criterion:shadow/quiet", "--until", "1h", exits=3).err
    assert "no criterion of shadow would be left" in refused
    assert "--break-glass" in refused
    desk("phase", "abort", "bot")
    desk("gate", "waive", "bot", "phase:shadow", "--break-glass", "--until", "1h")


def test_the_way_to_real_has_what_the_plan_wants(desk: Desk) -> None:
    """I31: a command that is named is one that the plan does not refuse for want of another."""
    desk("phase", "enter", "bot", "shadow")
    told = desk("explain", "bot").out
    wanted = [
        "rollout gate eval bot",
        "rollout phase advance bot",
        "rollout preflight run bot",
        "rollout approve request bot mode:real",
        "rollout switch bot --to real",
    ]
    places = [told.index(command) for command in wanted]
    assert places == sorted(places)


def test_nobody_approves_their_own_request_by_another_spelling(desk: Desk) -> None:
    """Not as Dana either, if dana asked."""
    desk("approve", "request", "bot", "mode:real", ROLLOUT_ACTOR="dana")
    (request,) = desk("approve", "list", "bot", "-o", "json").json
    words = ("approve", "grant", "bot", request["request"], "--role", "ops_lead")
    assert "asked for this" in desk(*words, exits=3, ROLLOUT_ACTOR="Dana").err
    desk(*words, ROLLOUT_ACTOR="kim")


def test_of_several_requests_the_last_one_is_told(desk: Desk) -> None:
    desk.preflight()
    desk.grant("mode:real", "ops_lead")
    (desk.folder / "config.yaml").write_text("size: 1\n")
    desk("config", "put", "bot", desk.folder / "config.yaml", "--in-force")
    desk.grant("mode:real", "ops_lead")
    desk.advance(timedelta(days=8))
    desk.preflight()
    assert "has expired" in desk("switch", "bot", "--to", "real", exits=8).err


def test_eight_minutes_are_not_a_day(desk: Desk) -> None:
    """I8, scenario: a run of eight minutes against a gate of 24 hours is INCONCLUSIVE, and says why."""
    desk("phase", "enter", "bot", "shadow")
    desk.record(8, 4, 0.585)
    told = desk("gate", "eval", "bot", exits=4)
    assert "8m of 1d" in told.out
    assert "has lasted 8m of the 1d" in desk("phase", "advance", "bot", exits=4).err
    desk.record(24 * 60, 10, 0.585)
    desk.advance(timedelta(minutes=1))
    desk("gate", "eval", "bot")
    assert "needs approval" in desk("phase", "advance", "bot", exits=8).err
    desk.grant("phase:micro_live", "dev_lead", "test_lead", "ops_lead")
    desk("phase", "advance", "bot")
    assert "entered the phase micro_live" in desk("log", "bot").out


def test_a_phase_that_was_gone_back_to_has_to_be_left_anew(desk: Desk) -> None:
    """I8: what was seen before somebody went back is no evidence for going on once more."""
    desk("phase", "enter", "bot", "shadow")
    desk("gate", "waive", "bot", "phase:shadow", "--break-glass", "--until", "1h")
    desk("gate", "waive", "bot", "phase:micro_live", "--break-glass", "--until", "1h")
    desk("phase", "advance", "bot")
    desk("phase", "enter", "bot", "shadow")
    told = desk("phase", "enter", "bot", "micro_live", exits=3)
    assert "micro_live comes after shadow" in told.err
    desk("phase", "abort", "bot")
    desk("phase", "enter", "bot", "micro_live", exits=3)
    desk("phase", "enter", "bot", "shadow")
    desk("phase", "advance", "bot")


def test_a_phase_lasts_as_long_as_the_plan_says_without_criteria_too(desk: Desk) -> None:
    plan = PROFILE[: PROFILE.index("    success:")] + "  - name: micro_live\n    mode: real\n"
    (desk.folder / "plan.yaml").write_text(plan)
    desk("profile", "adopt", "bot", desk.folder / "plan.yaml")
    desk("phase", "enter", "bot", "shadow")
    desk.advance(timedelta(hours=23))
    assert "has lasted 23h of the 1d" in desk("phase", "advance", "bot", exits=4).err
    desk.advance(timedelta(hours=1))
    desk("phase", "advance", "bot")


def test_a_phase_that_nothing_is_asked_of_has_shown_nothing(desk: Desk) -> None:
    """I8: the gate and the step forward never disagree, and both say what to do."""
    path = desk.folder / "plan.yaml"
    bare = PROFILE[: PROFILE.index("    min_duration:")] + "  - name: micro_live\n    mode: real\n"
    path.write_text(bare)
    desk("profile", "adopt", "bot", path)
    desk("phase", "enter", "bot", "shadow")
    for words in [("gate", "eval", "bot"), ("phase", "advance", "bot")]:
        told = desk(*words, exits=4).err
        assert "The plan asks nothing of shadow, and nothing before micro_live" in told
        assert "Say under success in the plan" in told
    path.write_text(bare + "    entry: {approvals: {roles: {ops_lead: 1}}}\n")
    desk("profile", "adopt", "bot", path)
    assert "micro_live needs the approval of ops_lead" in desk("gate", "eval", "bot").out
    assert "needs approval" in desk("phase", "advance", "bot", exits=8).err
    path.write_text(bare)
    desk("profile", "adopt", "bot", path)
    desk("gate", "waive", "bot", "phase:shadow", "--break-glass", "--until", "1h")
    assert "the glass is broken for shadow, by W-" in desk("gate", "eval", "bot").out
    desk("phase", "advance", "bot")
    assert "micro_live is the last phase" in desk("gate", "eval", "bot").out
    assert "is complete" in desk("phase", "advance", "bot").out


def test_a_gate_that_opened_does_not_stay_open(desk: Desk) -> None:
    """I8: a GO of this morning, or of the plan before, tells nothing of now."""
    desk("phase", "enter", "bot", "shadow")
    desk("gate", "waive", "bot", "phase:micro_live", "--break-glass", "--until", "7d")
    desk.record(24 * 60, 10, 0.585)
    desk("gate", "eval", "bot")
    desk.record(61, 10, 0.585)
    assert "not older than 1h" in desk("phase", "advance", "bot", exits=3).err
    desk("gate", "eval", "bot")
    (desk.folder / "plan.yaml").write_text(PROFILE.replace("0.58", "0.59"))
    desk("profile", "adopt", "bot", desk.folder / "plan.yaml")
    assert "by another plan" in desk("phase", "advance", "bot", exits=3).err


def test_a_day_with_one_bad_hour_is_no_go(desk: Desk) -> None:
    """The worst slice counts, not the average: one look below the bar, and the gate says when."""
    desk("phase", "enter", "bot", "shadow")
    desk.record(23 * 60, 10, 0.585)
    desk.record(60, 10, 0.57)
    told = desk("gate", "eval", "bot", "-o", "json", exits=3)
    (auc,) = [one for one in told.json["criteria"] if one["name"] == "auc"]
    assert auc["result"] == "fail"
    assert "first at 2025-12-01" in auc["detail"] or "first at 2025-12-02" in auc["detail"]


def test_a_phase_wants_its_own_configuration(desk: Desk) -> None:
    """A file's name says nothing, what stands in it does: the phase allows a size of 2."""
    desk("phase", "enter", "bot", "shadow")
    desk("gate", "waive", "bot", "phase:shadow", "--break-glass", "--until", "1h")
    desk("gate", "waive", "bot", "phase:micro_live", "--break-glass", "--until", "1h")
    (desk.folder / "config.yaml").write_text("size: 10\n")
    desk("config", "put", "bot", desk.folder / "config.yaml", "--in-force")
    assert "size is 10, more than the 2" in desk("phase", "advance", "bot", exits=3).err
    (desk.folder / "config.yaml").write_text("size: 2\n")
    desk("config", "put", "bot", desk.folder / "config.yaml", "--in-force")
    desk("phase", "advance", "bot")
    assert "the glass broken by W-" in desk("log", "bot").out


def test_holding_and_giving_up(desk: Desk) -> None:
    desk("phase", "enter", "bot", "shadow")
    assert "comes after" not in desk("phase", "hold", "bot").out
    assert "is held by ann" in desk("phase", "advance", "bot", exits=3).err
    desk("phase", "release", "bot", exits=3, ROLLOUT_ACTOR="rule:auto")
    desk("phase", "release", "bot")
    desk("phase", "scope", "bot", "symbols=BTCUSDT,ETHUSDT")
    desk("phase", "abort", "bot")
    assert "is aborted" in desk("phase", "advance", "bot", exits=3).err


def test_a_changed_plan_is_an_event_with_its_keys(desk: Desk) -> None:
    """The gate that is moved leaves a trace: who, when, which key, from what to what."""
    (desk.folder / "plan.yaml").write_text(PROFILE.replace("0.58", "0.55"))
    desk("profile", "adopt", "bot", desk.folder / "plan.yaml")
    events = desk("log", "bot", "--type", "ProfileAdopted", "-o", "json").json
    shown = desk("show", str(events[-1]["position"]), "-o", "json").json
    (change,) = shown["data"]["changes"]
    assert "0.55" in change["new"]
    assert desk("profile", "adopt", "bot", desk.folder / "plan.yaml").out.startswith("skipped")


def test_a_plan_that_does_not_fit(desk: Desk) -> None:
    """File, line, key and the nearest right word; and nothing is adopted."""
    (desk.folder / "plan.yaml").write_text(PROFILE.replace("min_duration", "min_durration"))
    told = desk("profile", "adopt", "bot", desk.folder / "plan.yaml", exits=2)
    assert "plan.yaml, line" in told.err
    assert "did you mean 'min_duration'" in told.err
    (desk.folder / "plan.yaml").write_text(PROFILE.replace("production", "staging"))
    assert (
        "is registered as production"
        in desk("profile", "adopt", "bot", desk.folder / "plan.yaml", exits=2).err
    )
    assert len(desk("log", "bot", "--type", "ProfileAdopted", "-o", "json").json) == 1


def test_the_shell_completes_what_the_plan_names(desk: Desk) -> None:
    """A mistyped name is found out by the program; an offered one is not mistyped."""
    desk("approve", "request", "bot", "mode:real")
    desk("incident", "open", "bot", "odd fills")
    for words, offered in [
        ("rollout phase enter bot ", {"shadow", "micro_live"}),
        ("rollout approve request bot ", {"phase:micro_live", "mode:real"}),
        ("rollout approve grant bot ", {"A-"}),
        ("rollout gate waive bot c", {"check:backtest", "check:disk", "criterion:shadow/auc"}),
        ("rollout incident ack bot INC", {"INC-"}),
    ]:
        told = desk(
            _ROLLOUT_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(words.count(" "))
        )
        found = {line.partition(",")[2] for line in told.out.splitlines()}
        assert all(any(f.startswith(name) for f in found) for name in offered), (words, found)


def test_status_shows_where_the_rollout_stands(desk: Desk) -> None:
    """The tree: phase and how far, gate, preflight, waivers with their person, approvals."""
    assert ": Pending" in desk("status", "bot").out
    desk("phase", "enter", "bot", "shadow")
    desk.record(6 * 60, 60, 0.585)
    desk("gate", "eval", "bot", exits=4)
    desk("gate", "waive", "bot", "check:backtest", "--until", "2h")
    desk.preflight("--skip", "backtest")
    desk("approve", "request", "bot", "phase:micro_live")
    told = desk("status", "bot").out
    assert "shadow 6h / 1d ▓▓▓░░░░░░░░░" in told
    assert ": Baking" in told
    assert "? INCONCLUSIVE" in told
    assert "WAIVED" in told
    assert "check:backtest until" in told
    assert "by ann: agreed" in told
    assert "missing 1 × dev_lead" in told
    assert "● shadow → ○ micro_live" in told
    record = desk("status", "bot", "-o", "json").json["rollout"]
    assert record["status"] == "Baking"
    assert next(iter(record["waivers"].values()))["by"] == "ann"
    (desk.folder / "config.yaml").write_text("size: 1\n")
    desk("config", "put", "bot", desk.folder / "config.yaml", "--in-force")
    assert "! WAIVED just now, for another configuration" in desk("status", "bot").out
    desk("phase", "abort", "bot")
    assert "shadow 6h / 1d ▓▓▓░░░░░░░░░, aborted" in desk("status", "bot").out
