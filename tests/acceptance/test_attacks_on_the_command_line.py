"""What a first-time user, a script and a cat on the keyboard type."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.conftest import GOOD
from tests.support.commands import Rollout

BAD = "grid:\n  levels: 50\nsize: 100\n"
AWS = "AKIA" + "IOSFODNN7EXAMPLE"  # made up, by AWS


def count(bot: Rollout) -> int:
    with psycopg.connect(str(bot.dsn)) as connection:
        row = connection.execute("SELECT count(*) FROM ledger.event").fetchone()
    assert row is not None
    return int(row[0])


def put_bad(bot: Rollout, tmp_path: Path) -> None:
    (tmp_path / "next.yaml").write_text(BAD)
    bot("config", "put", "bot", tmp_path / "next.yaml", "--as", "config.yaml", "--tag", "bad")


def test_a_dry_run_appends_nothing_touches_nothing_and_needs_no_yes(
    bot: Rollout, tmp_path: Path
) -> None:
    """I16 and DESIGN section 5: it prints the events that it would append, and what it would refuse."""
    put_bad(bot, tmp_path)
    before = count(bot)
    for command, first in (
        (["switch", "bot", "--to", "real"], "ModeSwitchRequested"),
        (["switch", "bot", "--to", "paused", "--kind", "drain"], "ModeSwitchRequested"),
        (["config", "apply", "bot", "bad"], "ConfigApplyRequested"),
    ):
        told = bot(*command, "--dry-run", "-o", "json").json
        events = told if isinstance(told, list) else told["would_append"]
        assert events[0]["event"] == first
        bot(*command, "--dry-run")
    bot("rollback", "bot", "--to", "good", "--dry-run")
    bot("rollback", "bot", "--to", "bad", "--dry-run", exits=3)
    bot("config", "quarantine", "bot", "bad", "--reason", "r")
    assert "quarantine" in bot("config", "apply", "bot", "bad", "--dry-run", exits=3).err
    assert count(bot) == before + 1
    assert (tmp_path / "config.yaml").read_text() == GOOD
    assert json.loads((tmp_path / "mode.json").read_text())["mode"] == "mock"


def test_a_reason_can_not_hide_what_the_log_shows(bot: Rollout, tmp_path: Path) -> None:
    """I11: no terminal obeys what a reason, a message or a name says; for programs it is there as it is."""
    reason = "\x1b[2K\x1b]0;all is well\x07\x1b[1A\r\u202eback"
    bot("pause", "bot", "--reason", reason)
    bot("alert", "raise", "bot", "Odd", "-m", reason)
    for command in (
        ["log"], ["log", "bot"], ["status"], ["status", "bot"], ["explain", "bot"], ["alert", "list"],
        ["incident", "list"], ["at", "bot", "now"], ["show", str(count(bot))],
    ):  # fmt: skip
        told = bot(*command)
        assert not set("\x1b\x07\r\u202e") & set(told.out + told.err), command
    rows = bot.log("bot", "ModeSwitchRequested")
    assert rows[-1]["reason"] == reason


SKIPS = [
    ["system", "add", "bot", "--control-file", "{here}/mode.json", "--config-file", "{here}/config.yaml"],
    ["config", "put", "bot", "{here}/config.yaml"],
    ["config", "tag", "bot", "good", "good"],
    ["config", "stable", "bot", "good"],
    ["config", "apply", "bot", "good"],
    ["config", "apply", "bot", "good", "--dry-run"],
    ["switch", "bot", "--to", "mock"],
    ["switch", "bot", "--to", "mock", "--dry-run"],
    ["resume", "bot"],
    ["rollback", "bot", "--to", "good", "--reason", "r"],
    ["rollback", "bot", "--to", "good", "--dry-run"],
    ["rollback", "resume", "bot"],
    ["rollback", "abandon", "bot", "--reason", "r"],
]  # fmt: skip


@pytest.mark.parametrize("command", SKIPS, ids=lambda command: " ".join(command)[:40])
def test_a_no_op_says_so_in_json_too(command: list[str], bot: Rollout, tmp_path: Path) -> None:
    """I16: "skipped (already ...)", exit 0, no event, nobody asked for a yes."""
    words = [word.replace("{here}", str(tmp_path)) for word in command]
    before = count(bot)
    told = bot(*words, "-o", "json").json
    assert told["outcome"] == "skipped"
    assert told["explanation"]
    human = bot(*words)
    assert "skipped (" in human.out + human.err
    assert count(bot) == before


QUIET = [
    ["recover"], ["drift", "bot"], ["rollback", "status", "bot"], ["system", "list"],
    ["system", "show", "bot"], ["config", "list", "bot"], ["config", "verify", "bot"],
    ["config", "diff", "bot", "good", "good"], ["config", "show", "bot", "good"],
    ["config", "blame", "bot"], ["alert", "list"], ["incident", "list"], ["doctor"],
    ["config", "quarantine", "bot", "good"], ["metrics", "put", "bot", "x=1"],
    ["alert", "raise", "bot", "A", "--severity", "P1"], ["alert", "ack", "bot", "A"],
]  # fmt: skip


def test_every_command_speaks_json(bot: Rollout) -> None:
    """DESIGN section 5: data on stdout, talk on stderr; also when ROLLOUT_OUTPUT asks for it."""
    for command in QUIET:
        json.loads(bot(*command, "-o", "json").out)
    json.loads(bot("system", "list", ROLLOUT_OUTPUT="json").out)
    for command in (["system", "list"], ["config", "list", "bot"], ["recover"]):
        for line in bot(*command, "-o", "jsonl").out.splitlines():
            json.loads(line)


@pytest.mark.parametrize("actor", ["human:", ":", " ", "human: ", "wizard:ann"])
def test_somebody_is_always_named(actor: str, bot: Rollout) -> None:
    """I11, I33: nobody is no actor; a pause is the login's then, and goes ahead."""
    nobody = Rollout(bot.home, bot.dsn, actor=actor)
    assert "names nobody" in nobody("alert", "ack", "bot", "A", exits=2).err
    assert "your login is recorded" in nobody("pause", "bot").err


def test_a_reason_says_something(bot: Rollout) -> None:
    """I11: blanks are no reason for what raises exposure."""
    bot("switch", "bot", "--to", "real", "--reason", "  ", "--yes", exits=2)
    bot("rollback", "bot", "--to", "good", "--reason", " ", exits=2)
    bot("rollback", "abandon", "bot", "--reason", "", exits=2)
    bot("switch", "bot", "--to", "real", "--reason", "go", exits=2)


@pytest.mark.parametrize(
    "words",
    [
        ["--control-file", f"/srv/{AWS}/mode.json"],
        ["--config-file", f"/srv/{AWS}/config.yaml"],
        ["--config-file", "a.yaml=/srv/x.yaml", "--config-file", "a.yaml=/srv/y.yaml"],
        ["--config-file", "a.yaml=/srv/x.yaml", "--config-file", "b.yaml=/srv/x.yaml"],
        ["--config-file", "a.json=/srv/x.json", "--control-file", "/srv/x.json"],
        ["--config-file", "config=/srv/x.yaml"],
        ["--control-file", "/srv/\udcff/mode.json"],
    ],
)
def test_a_registration_that_could_not_work_is_refused(words: list[str], rollout: Rollout) -> None:
    """I6, I13: a path that redaction would change leads elsewhere; two names for one file fight."""
    told = rollout("system", "add", "other", *words, exits=2)
    assert AWS not in told.err
    assert "should not" not in told.err
    assert count(rollout) == 0


def test_a_name_that_redaction_would_change_is_refused(bot: Rollout) -> None:
    """I6: what was recorded under another name could never be found again."""
    bot("config", "tag", "bot", "good", AWS, exits=2)
    bot("alert", "raise", "bot", AWS, exits=2)
    bot("metrics", "put", "bot", f"{AWS}=1", exits=2)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x1b[31m"])
def test_a_name_can_be_shown_on_a_line(name: str, bot: Rollout) -> None:
    """Bad input: what is named can be found again, and does nothing to a terminal."""
    before = count(bot)
    bot("alert", "raise", "bot", name, exits=2)
    bot("metrics", "put", "bot", f"{name}=5", exits=2)
    bot("config", "tag", "bot", "good", name, exits=2)
    bot("incident", "open", "bot", name if not name.strip() else " ", exits=2)
    assert count(bot) == before


def test_an_empty_variable_is_no_last_stable(bot: Rollout, tmp_path: Path) -> None:
    """I10: --to "$TAG", where TAG is not set, names nothing."""
    put_bad(bot, tmp_path)
    bot("config", "apply", "bot", "bad", "--reason", "r", "--yes")
    bot("rollback", "bot", "--to", "", "--reason", "r", exits=2)
    assert (tmp_path / "config.yaml").read_text() == BAD


def test_the_order_of_options_and_systems_does_not_matter(bot: Rollout, tmp_path: Path) -> None:
    """A first-time user types what the help shows, in any order."""
    put_bad(bot, tmp_path)
    bot("config", "apply", "--yes", "--reason", "r", "bot", "bad")
    bot("rollback", "--last-stable", "--reason", "r", "bot")
    assert (tmp_path / "config.yaml").read_text() == GOOD
    told = bot("rollback", exits=None)
    assert "Example" in told.out + told.err
    assert "--last-stable" in bot("rollback", "bot", "--help").out


def test_what_two_operators_declare_at_once_is_told_right(bot: Rollout, tmp_path: Path) -> None:
    """I13: previous and diff are of the same configuration, whoever came first."""
    import threading

    texts = [f"size: {n}\n" for n in range(4)]
    for n, text in enumerate(texts):
        (tmp_path / f"{n}.yaml").write_text(text)
    threads = [
        threading.Thread(
            target=lambda n=n: bot(
                "config", "put", "bot", tmp_path / f"{n}.yaml", "--as", "config.yaml",
                "--in-force", exits=None,
            )
        )
        for n in range(4)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    applied = bot.log("bot", "ConfigApplied")
    shown = [bot("show", str(row["position"]), "-o", "json").json["data"] for row in applied]
    for before, after in itertools.pairwise(shown):
        assert after["previous"] == before["fingerprint"]
        olds = {change["key"]: change.get("old") for change in after["changes"]}
        news = {change["key"]: change.get("new") for change in before["changes"]}
        if "size" in news:
            assert olds["size"] == news["size"]
