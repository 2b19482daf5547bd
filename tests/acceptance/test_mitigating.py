"""Mitigations, by rules and by hand: told by a file, ended by themselves, whoever died on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Rollout
from tests.support.watched import Desk

PROFILE = """
profile: canary
environment: production
rules: [rules/slo.yaml]
metrics:
  - {name: rows, kind: jsonl_file, path: rows.jsonl}
  - {name: stats, kind: json_file, path: stats.json, values: {ece: ece}}
mitigations:
  lighter: {kind: down_weight, target: "{{ $labels.slice }}", factor: 0.5, expires: 1h}
  stop-slice: {kind: pause_slice, target: "{{ $labels.slice }}", expires: 30m}
  calm: {kind: pause_calibration, expires: 10m}
  hold: {kind: lock, key: direction, expires: 1h}
  smaller: {kind: override, key: size, change: -4, min: 2, safer: lower, expires: 20m}
  bigger: {kind: override, key: size, change: 4, safer: lower}
watch: {interval: 15s, lookback: 1m}
"""


def rule(name: str, metric: str, mitigation: str) -> str:
    return f"""
      - alert: {name}
        expr: {metric} > 0
        annotations: {{rollout_action: mitigate, rollout_mitigation: {mitigation}}}"""


RULES = "groups:\n  - name: slo\n    rules:" + "".join(
    rule(f"{name.capitalize().replace('-', '')}Rule", name.replace("-", "_"), name)
    for name in ("lighter", "stop-slice", "calm", "hold", "smaller", "bigger")
)


class Bot(Desk):
    """A bot whose rules each ask for another mitigation, when the metric of that name is above 0."""

    def measured(self, metric: str, value: float = 1, **labels: str) -> None:
        line = {"metric": metric, "value": value, "labels": labels, "at": self.now.isoformat()}
        with (self.folder / "rows.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def told(self) -> list[dict[str, Any]]:
        """Return what the bot reads: the mitigations in force."""
        found: list[dict[str, Any]] = json.loads((self.folder / "mitigations.json").read_text())[
            "mitigations"
        ]
        return found

    def listed(self) -> dict[str, str]:
        rows = self("mitigation", "list", "bot", "-o", "json").json
        return {row["mitigation"]: row["status"] for row in rows}


@pytest.fixture
def bot(tmp_path: Path, rollout: Rollout) -> Bot:
    desk = Bot(tmp_path, rollout, profile=PROFILE, rules=RULES)
    (tmp_path / "third.yaml").write_text("size: 9\ndirection: long\n")
    desk("config", "put", "bot", tmp_path / "third.yaml", "--as", "config.yaml", "--tag", "third")
    desk("config", "apply", "bot", "third")
    return desk


def test_each_kind_as_the_bot_reads_it(bot: Bot) -> None:
    """I9: each reduces what is at stake: less weight, a slice stopped, a direction kept, a smaller size."""
    for metric in ("lighter", "stop_slice"):
        bot.measured(metric, slice="tokyo")
    for metric in ("calm", "hold", "smaller"):
        bot.measured(metric)
    bot.once(0)
    found = {one["mitigation"]: one for one in bot.told()}
    assert found.keys() == {"lighter", "stop-slice", "calm", "hold", "smaller"}
    assert (found["lighter"]["target"], found["lighter"]["factor"]) == ("tokyo", 0.5)
    assert (found["stop-slice"]["kind"], found["stop-slice"]["target"]) == ("pause_slice", "tokyo")
    assert (found["hold"]["target"], found["hold"]["value"]) == ("direction", "long")
    assert (found["smaller"]["target"], found["smaller"]["value"]) == ("size", 5)
    assert bot.mode() == "real"


def test_a_rule_never_raises_what_is_at_stake(bot: Bot) -> None:
    """I9: an override towards the riskier side is refused, and the refusal is recorded."""
    bot.measured("bigger")
    bot.once(0)
    (row,) = bot.rollout.log("bot", "AlertActionTaken")
    assert "would raise the exposure" in row["sentence"]
    assert not (bot.folder / "mitigations.json").exists()


def test_what_it_is_about_has_to_be_known(bot: Bot) -> None:
    """A slice that nobody names is no slice: not all of them, and not none."""
    bot.measured("stop_slice")
    bot.once(0)
    (row,) = bot.rollout.log("bot", "AlertActionTaken")
    assert "there is no label slice" in row["sentence"]
    told = bot("mitigation", "apply", "bot", "stop-slice", exits=3)
    assert "--label slice=VALUE" in told.err


def test_by_hand(bot: Bot) -> None:
    """A person puts one in force and lifts it, with a reason; the same again is a no-op (I16)."""
    apply = ("mitigation", "apply", "bot", "lighter", "--label", "slice=tokyo")
    bot("incident", "open", "bot", "odd fills", "--severity", "warning")
    bot(*apply)
    assert bot.happened("IncidentMitigated") == []  # nobody said that it is about that
    assert [(one["mitigation"], one["target"]) for one in bot.told()] == [("lighter", "tokyo")]
    assert "skipped" in bot(*apply).out
    assert bot.listed()["lighter tokyo"] == "in force"
    assert bot.listed()["calm"] == "ready"
    told = bot("mitigation", "lift", "bot", "lighter", "tokyo", exits=2, ROLLOUT_REASON="")
    assert "needs a reason" in told.err
    bot("mitigation", "lift", "bot", "lighter", "tokyo")
    assert bot.told() == []
    told = bot("mitigation", "lift", "bot", "lighter", "tokyo", exits=2)
    assert "has no mitigation 'lighter tokyo' in force" in told.err
    told = bot("mitigation", "apply", "bot", "lihgter", exits=2)
    assert "lighter, smaller, stop-slice" in told.err
    assert "lifted lighter of tokyo (manual)" in bot("log", "bot").out


@pytest.mark.parametrize("finisher", ["watch", "recover", "list"])
def test_it_ends_by_itself_where_nobody_watched(bot: Bot, finisher: str) -> None:
    """I12: its end has come and no watch runs; whoever comes next ends it, once."""
    bot("mitigation", "apply", "bot", "smaller")
    bot.advance(1201)
    if finisher == "watch":
        bot.once(0)
    elif finisher == "recover":
        assert "smaller size ended by themselves" in bot("recover", "bot").out
    else:
        assert bot.listed()["smaller"] == "ready"
    assert bot.told() == []
    bot("recover", "bot")
    assert bot.happened("MitigationLifted") == ["MitigationLifted"]


def test_a_file_that_somebody_changed_is_written_anew(bot: Bot) -> None:
    """What the bot reads is what the log says, not what an editor left there."""
    bot("mitigation", "apply", "bot", "calm")
    (bot.folder / "mitigations.json").write_text('{"mitigations": []}')
    bot.once()
    assert [one["mitigation"] for one in bot.told()] == ["calm"]
    (bot.folder / "mitigations.json").unlink()
    bot.once()
    assert [one["mitigation"] for one in bot.told()] == ["calm"]


def test_a_bot_that_cannot_be_told(bot: Bot) -> None:
    """I12: that the file can't be written is recorded, and is an error for the person who asked."""
    (bot.folder / "mitigations.json").mkdir()
    told = bot("mitigation", "apply", "bot", "calm", exits=None)
    assert told.code != 0
    assert "mitigations.json" in told.err
    assert bot.happened("MitigationFailed") == ["MitigationFailed"]
    listed = bot("mitigation", "list", "bot")
    assert "bot was not told" in listed.err
    assert "in force" not in listed.out
