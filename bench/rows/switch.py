"""A mode switch, from the decision to the confirmed and recorded outcome, through the control file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice
from time import perf_counter
from typing import Final

from bench.context import Bench
from bench.measure import Bar, Row, percentile
from cli.terminal import Terminal
from ledger.domain.log.ids import Actor, ActorKind
from ledger.domain.systems import decide as systems
from ledger.domain.systems.events import Actuators
from ledger.domain.values.modes import Mode
from ledger.service.modes.switch import switch
from runtime.settings import Settings
from runtime.wiring import Runtime

SYSTEM: Final = "bot"
LOOK_EVERY: Final = 30
MODES: Final = (Mode.MOCK, Mode.REAL, Mode.PAUSED)


def measure(bench: Bench) -> Iterator[Row]:
    """Switch round and round, in a warm process: intent, file written, file read back, outcome."""
    folder = bench.server.folder / "switch"
    folder.mkdir()
    actor = Actor("bench", "bench", ActorKind.HUMAN)
    runtime = bench.closing(Runtime(Settings(folder, bench.server.new_ledger(), actor), Terminal()))
    actuators = Actuators(control_file=str(folder / "mode.json"))
    runtime.ledger.recorder.decide(
        SYSTEM,
        lambda state: systems.register(
            state, environment="staging", description="", actuators=actuators
        ),
        runtime.origin(),
    )
    origin = runtime.origin("bench")
    times: list[float] = []
    for number, mode in enumerate(islice(cycle(MODES), bench.size(600, 60))):
        if number % LOOK_EVERY == 0:
            runtime.catch_up()  # as any look at the system does, and not part of a switch
        began = perf_counter()
        result = switch(runtime.ledger, SYSTEM, mode, None, origin, said_yes=actor)
        times.append((perf_counter() - began) * 1000)
        if result.outcome != "switched":
            raise RuntimeError(f"the switch to {mode} was {result.outcome}: {result.explanation}")
    slow = percentile(times, 0.99)
    yield Row(
        "mode switch, decided to confirmed, control file", Bar(100, "ms", at_most=True), "ms", slow,
        value=slow, samples={"ours": times},
        note=f"the 99th percentile of {len(times)}; the median is {percentile(times, 0.5):.1f} ms",
    )  # fmt: skip
