"""rollout demo: one rollout, played for real: a real Postgres, real files, a real kill -9."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

import click

from cli.output import colours_wanted
from ledger.domain.errors import LedgerError
from ledger.store.embedded import EmbeddedPostgres

# (what the person at the desk is doing, the command, whether it is killed in the middle)
Scene = tuple[str, list[str], str | None]


def _scenes(folder: Path) -> list[Scene]:
    config, control = str(folder / "config.yaml"), str(folder / "control" / "mode.json")
    sample = files("cli.sample")
    return [
        ("Register the bot: where it reads its mode and its configuration.",
         ["system", "add", "gridbot", "--control-file", control, "--config-file", config,
          "--description", "key-level grid on Gate.io"], None),
        ("Start with its past: four records of its own change log, one of them sent twice.",
         ["import", "config-changes", "gridbot", str(sample / "config_changes.jsonl")], None),
        ("Keep what runs now, and vouch for it.",
         ["config", "put", "gridbot", config, "--tag", "v1.0", "--stable", "--in-force",
          "--reason", "three weeks without a critical alert"], None),
        ("Rehearse, then go live.",
         ["switch", "gridbot", "--to", "mock", "--reason", "rehearsal", "--yes"], None),
        ("", ["switch", "gridbot", "--to", "real", "--reason", "rehearsal was clean for 30 minutes",
              "--yes"], None),
        ("", ["metrics", "put", "gridbot", "reject_rate=0.01", "latency_p95_ms=180"], None),
        ("Scale up.",
         ["config", "put", "gridbot", str(sample / "config_scaled.yaml"), "--as", "config.yaml",
          "--tag", "v1.1-scaled", "--reason", "scale to phase 3"], None),
        ("", ["config", "apply", "gridbot", "v1.1-scaled", "--reason", "scale to phase 3", "--yes"], None),
        ("03:00. Orders are being rejected.",
         ["metrics", "put", "gridbot", "reject_rate=0.19", "latency_p95_ms=910"], None),
        ("", ["alert", "raise", "gridbot", "HIGH_REJECT_RATE", "--severity", "critical", "-m",
              "19 % of orders rejected"], None),
        ("Which configuration was good? Put it back. What would that do?",
         ["rollback", "gridbot", "--last-stable", "--dry-run"], None),
        ("Do it. And as luck has it, the machine dies right after the file was written.",
         ["rollback", "gridbot", "--last-stable", "--reason", "reject rate 19 %"], "rollback.after_file"),
        ("A fresh process: what was going on, and what do we resume from?",
         ["recover", "gridbot"], None),
        ("", ["metrics", "put", "gridbot", "reject_rate=0.01", "latency_p95_ms=190"], None),
        ("", ["alert", "resolve", "gridbot", "HIGH_REJECT_RATE", "--reason",
              "rejects are back to normal"], None),
        ("The state now.", ["status", "gridbot"], None),
        ("The morning after: who changed what, when, why?", ["log", "gridbot"], None),
        ("Who set each key's present value?", ["config", "blame", "gridbot"], None),
        ("Any other question, in SQL.",
         ["sql", ("SELECT key, old, new, actor, reason FROM config_changes "
                  "WHERE cause IN ('apply', 'rollback') ORDER BY position, key")], None),
        ("What goes into the incident report.", ["incident", "export"], None),
        ("And nobody has touched the log.", ["verify"], None),
    ]  # fmt: skip


@click.command()
@click.option("--keep", is_flag=True, help="Leave the folder and its Postgres for looking around.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Play here. Default: a new temporary folder.",
)
def demo(keep: bool, folder: Path | None) -> None:
    """Play a whole rollout on an embedded Postgres of its own, and show it. Touches nothing else.

    \b
    Example:
      rollout demo --keep
    """
    stage = folder or Path(tempfile.mkdtemp(prefix="rollout-demo-", dir=_temporary_folder()))
    stage.mkdir(parents=True, exist_ok=True)
    # A server that runs as another user (when we are root) must be able to reach its own folder in here.
    stage.chmod(0o755)
    home = stage / "home"
    shutil.copy(str(files("cli.sample") / "config.yaml"), stage / "config.yaml")
    try:
        for text, arguments, killed_at in _scenes(stage):
            if not _play(home, text, arguments, killed_at):
                raise LedgerError(
                    "That did not go as it should, so the demo ends here.",
                    hint="Look around in it: rollout demo --keep",
                )
    finally:
        if keep:
            click.echo(f"\nLook around: export ROLLOUT_HOME={home}; rollout status gridbot")
        else:
            EmbeddedPostgres(home).stop()
            shutil.rmtree(stage, ignore_errors=True)
    click.echo("\nEvery scene went as it should. Yours next: rollout system add --help")


def _temporary_folder() -> str | None:
    """Return a place that survives a reboot and is short enough for a Unix socket's path."""
    place = "/var/tmp"  # noqa: S108 -- mkdtemp makes a private folder in it
    return place if Path(place).is_dir() and os.access(place, os.W_OK) else None


def _play(home: Path, text: str, arguments: list[str], killed_at: str | None) -> bool:
    """Run one command as its own process, shown as it would be typed; return whether it went as told."""
    if text:
        click.echo()
        click.echo(_styled(text, bold=True))
    shown = " ".join(
        a if a.replace("-", "").replace("_", "").replace(".", "").isalnum() else _quoted(a)
        for a in arguments
    )
    click.echo(_styled(f"$ rollout {shown}", fg="cyan"))
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("ROLLOUT_")
    }
    environment |= {"ROLLOUT_HOME": str(home), "ROLLOUT_ACTOR": "human:li.wei"}
    if killed_at:
        environment["ROLLOUT_FAIL_AT"] = killed_at
    sys.stdout.flush()
    code = subprocess.run(
        [sys.executable, "-P", "-m", "cli.main", *arguments], env=environment, check=False
    ).returncode
    if killed_at:
        killed = code == -signal.SIGKILL
        if killed:
            click.echo(_styled("(killed with SIGKILL)", fg="red"))
        return killed
    # `status` and `recover` say by their exit code that something was wrong, which is the story here.
    return code == 0 or (code == 3 and arguments[0] in {"status", "recover"})


def _styled(text: str, **style: object) -> str:
    return click.style(text, **style) if colours_wanted() else text  # type: ignore[arg-type] -- click's own keywords


def _quoted(text: str) -> str:
    home = str(Path.home())
    return '"' + text.replace(home, "~") + '"' if " " in text else text
