"""Registering systems, as a table."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import UnknownName, UsageError
from ledger.domain.state import SystemState
from ledger.domain.systems.decide import Amendment, amend, dropped, register
from ledger.domain.systems.state import Registration
from tests.support.tables import REGISTERED, Case, Refuses, Skips, When, table

ACTUATORS = REGISTERED.actuators
ELSEWHERE = ACTUATORS.model_copy(update={"control_file": "/srv/other/mode.json"})


def add(
    environment: str = "production",
    description: str = "",
    actuators: events.Actuators = ACTUATORS,
) -> When:
    def when(state: SystemState, _now: datetime) -> Decision:
        return register(
            state, environment=environment, description=description, actuators=actuators
        )

    return when


def changed(**fields: object) -> tuple[events.Event, ...]:
    whole = {"environment": "production", "description": "", "actuators": ACTUATORS, **fields}
    return (events.SystemChanged.model_validate(whole),)


CASES = [
    Case("new", (), add(), (REGISTERED,)),
    Case("the same", (REGISTERED,), add(), Skips("bot is registered like that already")),
    Case("another place", (REGISTERED,), add(actuators=ELSEWHERE), changed(actuators=ELSEWHERE)),
    Case("other words", (REGISTERED,), add(description="a grid"), changed(description="a grid")),
    Case("elsewhere", (REGISTERED,), add("staging"), changed(environment="staging")),
    Case(
        "nothing carries decisions to it",
        (REGISTERED,),
        add(actuators=events.Actuators()),
        changed(actuators=events.Actuators()),
    ),
    Case(
        "as it was changed",
        (REGISTERED, *changed(environment="staging")),
        add("staging"),
        Skips("already"),
    ),
]


@table(CASES)
def test_registering(case: Case) -> None:
    """I16: the same again is nothing; a change is an event that says all of it."""
    case.holds()


CODE = events.CodePlace(
    repository="/srv/bot", restart=("systemctl", "restart", "bot"), restart_timeout_ms=90_000
)
FULL = events.Actuators(
    control_file="/srv/bot/mode.json",
    http_admin="http://127.0.0.1:8001",
    config_files=(
        events.ConfigFile(name="a.yaml", path="/srv/bot/a.yaml"),
        events.ConfigFile(name="b.yaml", path="/srv/bot/b.yaml"),
    ),
    mitigation_file="/srv/bot/mitigations.json",
    code=CODE,
    confirm_timeout_ms=9_000,
)
KNOWN = events.SystemRegistered(environment="staging", description="a grid", actuators=FULL)
C_FILE = events.ConfigFile(name="c.yaml", path="/srv/bot/c.yaml")
B_MOVED = events.ConfigFile(name="b.yaml", path="/srv/new/b.yaml")
SAME = Skips("bot is registered like that already")


def say(**named: Any) -> When:
    def when(state: SystemState, _now: datetime) -> Decision:
        return amend(state, Amendment(**named))

    return when


def other(**named: object) -> tuple[events.Event, ...]:
    """What `KNOWN` is once `named` of its actuators are others."""
    actuators = FULL.model_copy(update=named)
    return (events.SystemChanged(description="a grid", environment="staging", actuators=actuators),)


AMENDMENTS = [
    Case("new, with nothing", (), say(), (
        events.SystemRegistered(environment="production", actuators=events.Actuators()),
    )),
    Case("new, with a restart and no checkout", (), say(restart=("x",)), Refuses(UsageError, "--code")),
    Case("nothing named", (KNOWN,), say(), SAME),
    Case("the same named", (KNOWN,), say(http_admin=FULL.http_admin, environment="staging"), SAME),
    Case("a time", (KNOWN,), say(confirm_timeout_ms=10_000), other(confirm_timeout_ms=10_000)),
    Case("another file", (KNOWN,), say(control_file="/m.json"), other(control_file="/m.json")),
    Case("a file more", (KNOWN,), say(config_files=(C_FILE,)),
         other(config_files=(*FULL.config_files, C_FILE))),
    Case("a file that moved", (KNOWN,), say(config_files=(B_MOVED,)),
         other(config_files=(FULL.config_files[0], B_MOVED))),
    Case("words", (KNOWN,), say(description=""), (
        events.SystemChanged(description="", environment="staging", actuators=FULL),
    )),
    Case("a place", (KNOWN,), say(environment="production"), (
        events.SystemChanged(description="a grid", environment="production", actuators=FULL),
    )),
    Case("another checkout, restarted as before", (KNOWN,), say(code="/srv/two"),
         other(code=CODE.model_copy(update={"repository": "/srv/two"}))),
    Case("another restart, of the same checkout", (KNOWN,), say(restart=()),
         other(code=CODE.model_copy(update={"restart": ()}))),
    Case("dropped", (KNOWN,), say(drop=("control-file", "mitigation-file", "code")),
         other(control_file=None, mitigation_file=None, code=None)),
    Case("one file dropped, one more", (KNOWN,), say(drop=("config-file=a.yaml",), config_files=(C_FILE,)),
         other(config_files=(FULL.config_files[1], C_FILE))),
    Case("dropped before", (*other(http_admin=None),), say(drop=("http-admin",)), SAME),
    Case("a file dropped that is none", (KNOWN,), say(drop=("config-file=c.yaml",)),
         Refuses(UnknownName, "c.yaml")),
    Case("named and dropped", (KNOWN,), say(drop=("code",), code="/x"), Refuses(UsageError, "code is")),
    Case("restarted, and no checkout any more", (KNOWN,), say(drop=("code",), restart=("x",)),
         Refuses(UsageError, "--code")),
]  # fmt: skip


@table(AMENDMENTS)
def test_changing_what_is_named(case: Case) -> None:
    """Nothing lost: what nobody names stays; what goes was asked for by its name (I16, I31)."""
    case.holds()


def test_what_is_dropped_is_told() -> None:
    """I31: each thing that the new registration has nothing of, in the word that drops it."""
    before = Registration.of(KNOWN.payload())
    bare = Registration.of(
        events.SystemChanged(environment="staging", actuators=ACTUATORS).payload()
    )
    assert dropped(before, bare) == (
        "http-admin", "mitigation-file", "code", "config-file=a.yaml", "config-file=b.yaml",
    )  # fmt: skip
    assert dropped(before, before) == ()
    assert dropped(None, before) == ()
