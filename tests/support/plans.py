"""A desk that plays a shipped plan in compressed time: the real command line, a bot, a clock in a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ledger.profiles import shipped
from ledger.service.watch.heartbeat import last_beat
from tests.support.bot import CONTROL_FILE, MITIGATIONS, Bot, started, two_free_ports
from tests.support.commands import Rollout, Told

START = datetime(2025, 12, 1, tzinfo=UTC)
PATIENCE_SECONDS = 60.0
ROUNDS_MAX = 150
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Desk:
    """One system, its folder, its bot, and the plan that was shipped for it."""

    def __init__(self, folder: Path, rollout: Rollout, plan: str, config: str) -> None:
        self.folder = folder
        self.system = plan
        self.now = START
        self._rollout = rollout
        self._clock = folder / "clock"
        self._watch: subprocess.Popen[str] | None = None
        self._run: subprocess.Popen[str] | None = None
        self.advance(timedelta(0))
        self.bot = Bot(folder, two_free_ports())
        self.put_file("config.yaml", config)
        self(
            "system", "add", plan, "--http-admin", self.bot.url, "--control-file",
            folder / CONTROL_FILE, "--config-file", folder / "config.yaml", "--mitigation-file",
            folder / MITIGATIONS, "--confirm-timeout", "1",
        )  # fmt: skip

    # --- the command line ---

    @property
    def environment(self) -> dict[str, str]:
        return {
            "ROLLOUT_CLOCK": str(self._clock),
            "ROLLOUT_YES": "1",
            "ROLLOUT_REASON": "agreed",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def __call__(self, *words: str | Path, exits: int | None = 0, **env: str) -> Told:
        return self._rollout(*words, exits=exits, **{**self.environment, **env})

    def of(self, *words: str | Path, exits: int | None = 0, **env: str) -> Told:
        """Run a command about the system: its name comes after the command's own words."""
        at = 1 if words[0] in ONE_WORD else 2
        return self(*words[:at], self.system, *words[at:], exits=exits, **env)

    def happened(self, *types: str) -> list[dict[str, Any]]:
        """Return the events of the system, of those types."""
        return self._rollout.log(self.system, *types)

    def adopt(self, **instead: str) -> Path:
        """Adopt the shipped plan; ``instead``: what stands for a place that this machine does not have."""
        text = (shipped.FOLDER / f"{self.system}.yaml").read_text(encoding="utf-8")
        rules = (shipped.FOLDER / "rules" / f"{self.system}.yaml").read_text(encoding="utf-8")
        for place, ours in {**self.places(), **instead}.items():
            text = text.replace(place, ours)
        self.put_file(f"plan/rules/{self.system}.yaml", rules)
        path = self.put_file(f"plan/{self.system}.yaml", text)
        self.of("profile", "adopt", path)
        return path

    def places(self) -> dict[str, str]:
        """Return where the shipped plans look for the bot -> where it is."""
        return dict.fromkeys(
            (f"http://127.0.0.1:{port}" for port in (8001, 8083, 9100)), self.bot.url
        )

    def put_file(self, name: str, text: str, mode: int | None = None) -> Path:
        """Write a file of the system."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if mode is not None:
            path.chmod(mode)
        return path

    def configure(self, text: str, tag: str, *, stable: bool = False) -> None:
        """Keep a configuration under a tag, and put it in force by writing it where the bot reads it."""
        path = self.put_file(f"configs/{tag}.yaml", text)
        words = ("--stable",) if stable else ()
        self.of("config", "put", path, "--as", "config.yaml", "--tag", tag, *words)
        self.of("config", "apply", tag)

    def preflight(self, *words: str, exits: int = 0, **env: str) -> dict[str, Any]:
        """Run the checks; return result by name, and the verdict."""
        told = self.of(
            "preflight", "run", "--base", self.folder, *words, "-o", "json", exits=exits, **env
        ).json
        return {"verdict": told["verdict"], **{one["name"]: one for one in told["results"]}}

    def grant(self, subject: str, *roles: str) -> None:
        """Ask for an approval, and have one person of each role sign it, with a date."""
        self.of("approve", "request", subject)
        requests: Any = self.of("approve", "list", "-o", "json").json
        name = [one["request"] for one in requests if one["subject"] == subject][-1]
        for role in roles:
            self.of(
                "approve", "grant", name, "--role", role, "--signed-on", f"{self.now:%Y-%m-%d}",
                ROLLOUT_ACTOR=f"human:{role}",
            )  # fmt: skip

    # --- time ---

    def advance(self, span: timedelta) -> None:
        """Move the clock on."""
        self.now += span
        staged = self.folder / "clock.next"
        staged.write_text(self.now.isoformat())
        staged.rename(self._clock)

    def live(self, span: timedelta, *metrics: str, every: timedelta = 5 * MINUTE) -> None:
        """Let time pass, with what the bot measures now put down every so often."""
        measured = self.bot.tell()["metrics"]
        lines: list[str] = []
        end = self.now + span
        at = self.now
        while at < end:
            at = min(at + every, end)
            lines += [
                json.dumps({"metric": one, "value": measured[one], "at": at.isoformat()}) + "\n"
                for one in metrics
            ]
        self.advance(span)
        path = self.put_file("metrics.jsonl", "".join(lines))
        self.of("metrics", "put", "--file", path)

    # --- the bot, and who watches over it ---

    @contextmanager
    def trading(self) -> Iterator[Bot]:
        """Run the bot."""
        with started(self.bot.command, self.folder, out=None, ROLLOUT_CLOCK=str(self._clock)):
            self.bot.wait_until_up()
            yield self.bot

    @contextmanager
    def supervised(self, tag: str) -> Iterator[Bot]:
        """Run the bot as the start scripts do: under `rollout run`, which checks first."""
        words = (
            "rollout", "run", self.system, "--countdown", "0", "--run-tag", tag, "--",
            *self.bot.command,
        )  # fmt: skip
        out = self.folder / "run.log"
        with started(words, self.folder, out=out, **self._environment()) as one:
            self._run = one
            self.bot.wait_until_up()
            yield self.bot

    def run_ended(self) -> int:
        """Wait for the supervised run to end by itself; return its exit code."""
        assert self._run is not None
        return self._run.wait(PATIENCE_SECONDS)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Have a watch run as a process of its own."""
        words = ("rollout", "watch", self.system, "--base", str(self.folder))
        self.advance(MINUTE)  # a sign of life of now is the new watch's
        with started(
            words, self.folder, out=self.folder / "watch.log", **self._environment()
        ) as one:
            self._watch = one
            self._wait_for_a_round()
            yield

    def _environment(self) -> dict[str, str]:
        own = {"ROLLOUT_HOME": str(self._rollout.home), "ROLLOUT_DSN": str(self._rollout.dsn)}
        return self.environment | own | {"ROLLOUT_ACTOR": self._rollout.actor}

    def rounds(self, count: int, seconds: float = 15) -> None:
        """Move the clock on, and let the watch look each time."""
        for _ in range(count):
            self.advance(timedelta(seconds=seconds))
            self._wait_for_a_round()

    def until(self, holds: Callable[[], bool], seconds: float = 15) -> int:
        """Move the clock on, round by round, until ``holds``; return how many rounds that took."""
        for count in range(ROUNDS_MAX):
            if holds():
                return count
            self.rounds(1, seconds)
        raise AssertionError(f"not within {ROUNDS_MAX} rounds; the watch said: {self.watch_said()}")

    def watch_said(self) -> str:
        """Return what the watches have printed."""
        return (self.folder / "watch.log").read_text(encoding="utf-8")

    def _wait_for_a_round(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (last_beat(self._rollout.home, self.system) or START) < self.now:
            assert self._watch is None or self._watch.poll() is None, self.watch_said()
            assert time.monotonic() < deadline, self.watch_said()
            time.sleep(0.01)

    # --- what is seen ---

    def mode(self) -> str:
        """Return what the control file says."""
        return str(json.loads((self.folder / CONTROL_FILE).read_text(encoding="utf-8"))["mode"])

    def config(self) -> str:
        """Return the configuration as the bot finds it."""
        return (self.folder / "config.yaml").read_text(encoding="utf-8")

    def mitigations(self) -> list[str]:
        """Return what the bot was told to do less of."""
        path = self.folder / MITIGATIONS
        if not path.exists():
            return []
        told = json.loads(path.read_text(encoding="utf-8"))["mitigations"]
        return [f"{one['kind']} {one['target']}".strip() for one in told]

    def incidents(self) -> dict[str, dict[str, Any]]:
        """Return what incidents.json holds, by the rule that opened it; the newest of each rule."""
        found: list[dict[str, Any]] = self("incident", "export").json["incidents"]
        return {one["why"]["rule"]: one for one in found}

    def recorded(
        self, rule: str, action: str, *, metric: str, threshold: str | None, for_seconds: int = 0
    ) -> dict[str, Any]:
        """Insist that incidents.json tells of a rule that acted all that the guides ask for; return it.

        When, who, why (rule, expression, threshold, how long, what was seen), the action, the fingerprint
        before and after, and the metric before and after.
        """
        incident = self.incidents()[rule]
        why, told = incident["why"], incident["metrics_before_after"]
        metrics = next(
            told[name] for name in told if name.partition("{")[0] == metric.partition("{")[0]
        )
        assert action in incident["action"], incident["action"]
        assert incident["actions"][0]["type"] == "rule"
        assert metric.partition("{")[0] in why["expr"], why
        assert (why["threshold"], why["for"]) == (threshold, f"{for_seconds}s"), why
        assert why["observed"] is not None
        assert incident["who"]["id"]
        assert incident["when"]["opened"] <= incident["when"]["mitigated"]
        assert None not in incident["fingerprint"].values(), incident["fingerprint"]
        assert metrics["samples_before"] > 0 < metrics["samples_after"], metrics
        assert None not in (metrics["before"], metrics["after"]), metrics
        return incident


ONE_WORD = frozenset("switch pause resume rollback status log watch recover explain".split())
