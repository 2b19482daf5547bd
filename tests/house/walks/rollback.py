"""Recipe 4: `rollout rollback --last-stable`, followed from the command until the bytes are in place."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from click.testing import CliRunner

from cli.commands.rollback import rollback
from cli.terminal import Terminal
from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.service import recovery
from ledger.service.configurations import registration
from ledger.service.core.local_cache import LocalMemory
from ledger.service.core.session import Ledger
from runtime.settings import settings_of
from runtime.wiring import Runtime
from tests.house.sources import PACKAGES, ROOT
from tests.support.stories import Story

GOOD, BAD = "size: 1\n", "size: 9\n"


@dataclass
class Route:
    """Where a rollback went."""

    entered: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """File and function, in order."""
    on_the_way: set[str] = field(default_factory=set[str])
    """The files of those functions that were waiting for the bytes, from the command on."""
    recorded: list[str] = field(default_factory=list[str])
    """What the log held by then."""


def followed(folder: Path) -> Route:
    """Roll a bot back whose ledger is in memory, and say where that went."""
    story = Story()
    file = folder / "bot.yaml"
    runtime = _runtime_over(story, folder, file)
    route = Route()

    def recorded() -> list[str]:
        return [event.type for event in story.recorder.store.read_stream("system:bot")]

    def trace(frame: FrameType, event: str, called: Any) -> None:
        if event == "call":
            route.entered.append((_file(frame), frame.f_code.co_name))
        elif event == "c_return" and called is os.replace and file.read_text() == GOOD:
            route.on_the_way = route.on_the_way or _waiting(frame)
            route.recorded = route.recorded or recorded()

    words = ["bot", "--last-stable", "--reason", "rejects"]
    sys.setprofile(trace)
    try:
        done = CliRunner().invoke(rollback, words, obj=runtime, catch_exceptions=False)
    finally:
        sys.setprofile(None)
    assert done.exit_code == 0, done.output
    assert file.read_text() == GOOD
    return route


def _runtime_over(story: Story, folder: Path, file: Path) -> Runtime:
    """Return the runtime of a bot with a stable configuration, and a newer one in force."""
    runtime = Runtime(settings_of(home=folder / "home", dsn=None, actor="human:ann"), Terminal())
    ledger = Ledger(
        story.recorder, folder / "home", runtime.say, runtime.keys, LocalMemory(folder / "cache"),
        recovery.finish_dead_operations,
    )  # fmt: skip
    runtime.__dict__["ledger"] = ledger  # in the place of the one that it would open
    place = events.ConfigFile(name=file.name, path=str(file))
    actuators = events.Actuators(config_files=(place,))
    story.tell(events.SystemRegistered(environment="staging", actuators=actuators))
    file.write_text(GOOD)
    made = registration.put(ledger, "bot", [file], runtime.origin(), declare=True)
    stable = events.FingerprintMarkedStable(fingerprint=made.fingerprint)
    ledger.decide("bot", lambda _: Decision((stable,)), runtime.origin("seen to work"))
    file.write_text(BAD)
    registration.put(ledger, "bot", [file], runtime.origin("bolder"), declare=True)
    return runtime


def _file(frame: FrameType) -> str:
    """Return the file that a frame's function stands in, within the project."""
    return frame.f_code.co_filename.removeprefix(f"{ROOT}/")


def _waiting(frame: FrameType | None) -> set[str]:
    """Return the files of the functions that wait for ``frame``, down from the command's own."""
    files: list[str] = []
    while frame is not None:
        files.append(_file(frame))
        if files[-1] == "cli/commands/rollback.py":
            break
        frame = frame.f_back
    return {file for file in files if file.partition("/")[0] in PACKAGES}
