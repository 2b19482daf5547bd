"""What people type from habit leads to the command that does it; a wrong name leads to the nearest."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from cli.main import cli
from cli.words import ELSEWHERE, explained
from tests.support.commands import Rollout


@pytest.mark.parametrize("meant", sorted(set(ELSEWHERE.values())))
def test_every_command_that_is_named_exists(meant: str) -> None:
    """I31: a hint is a claim; its words are commands, and its options theirs."""
    words = meant.split()
    here: click.Command = cli
    for word in words:
        if not isinstance(here, click.Group):
            break
        found = here.get_command(click.Context(here), word)
        if found is None:
            assert word == "SYSTEM"  # `rollback SYSTEM` is a group and a command
            break
        here = found
    assert here is not cli
    to = here.commands["to"].params if isinstance(here, click.Group) else []
    options = {name for parameter in [*here.params, *to] for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize(
    ("typed", "leads_to"),
    [
        (["history"], "rollout log SYSTEM"),
        (["undo"], "rollout rollback SYSTEM --last-stable"),
        (["diff", "bot"], "rollout config diff SYSTEM"),
        (["blame"], "rollout config blame SYSTEM"),
        (["describe"], "rollout status SYSTEM"),
        (["abort"], "rollout phase abort SYSTEM"),
        (["ls"], "rollout system list"),
        (["rm"], "Nothing that was recorded is removed"),
        (["config", "ls"], "rollout config list"),
        (["system", "describe"], "rollout system show"),
        (["incident", "delete"], "Nothing that was recorded is removed"),
        (["rollbak"], "rollout rollback"),
        (["config", "quarantin"], "rollout config quarantine"),
        (["log", "--oneline"], "nothing, since an event is one line"),
        (["status", "--json"], "Did you mean: -o json?"),
        (["log", "--tail", "20"], "Did you mean: --limit?"),
    ],
)
def test_a_word_leads_somewhere(typed: list[str], leads_to: str) -> None:
    """The nearest spelling misleads: diff is no drift, abort no alert."""
    with pytest.raises(click.UsageError) as refused:
        cli.main(args=typed, prog_name="rollout", standalone_mode=False)
    assert leads_to in explained(refused.value).message


def test_what_is_typed_at_the_desk(rollout: Rollout, tmp_path: Path) -> None:
    """A system's name, a number of lines, a type of event, where to go back to, the version."""
    rollout("system", "add", "polyarb", "--control-file", tmp_path / "mode.json", exits=0)
    assert "Did you mean polyarb?" in rollout("status", "polyarv", exits=2).err
    assert "Did you mean polyarb?" in rollout("pause", "polyard", "--reason", "r", exits=None).err
    assert "polyarb" not in rollout("status", "zzz", exits=2).err
    assert len(rollout("log", "-n", "1", "-o", "jsonl").out.splitlines()) == 1
    refused = rollout("log", "--type", "ModeSwiched", exits=2)
    assert "there is no such type of event" in refused.err
    assert "Did you mean ModeSwitched?" in refused.err
    rollout("log", "--type", "mode*")
    told = rollout("rollback", "polyarb", "v1", exits=2)
    assert "rollout rollback polyarb --to v1" in told.err
    assert rollout("--version").out == rollout("version").out


def test_the_options_of_a_rollback_are_in_its_help(rollout: Rollout) -> None:
    """At three in the morning nobody looks for a hidden sub-command."""
    told = rollout("rollback", "--help").out
    for option in ("--to", "--last-stable", "--code", "--full", "--dry-run", "--reason"):
        assert option in told


def test_an_incident_is_shown_in_words(rollout: Rollout, tmp_path: Path) -> None:
    """No JSON in what people read; all of it in what programs read."""
    rollout("system", "add", "bot", "--control-file", tmp_path / "mode.json")
    rollout("incident", "open", "bot", "orders stuck", "--severity", "critical")
    (row,) = rollout("incident", "list", "-o", "json").json
    shown = rollout("incident", "show", row["incident"]).out
    assert "orders stuck" in shown
    assert not set('{}[]"') & set(shown)
    document = rollout("incident", "show", row["incident"], "-o", "json").json
    assert document["timeline"]
    assert document["id"] == row["id"] == row["incident"]
