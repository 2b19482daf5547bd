"""What a plan says of its phases: how long, how exposed, on what evidence, and what ends them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ledger.configuration.strict import Strict
from ledger.domain.log.event import PauseKindName, Severity
from ledger.domain.values.alert_actions import Acting
from ledger.domain.values.fingerprints import Plain
from ledger.domain.values.spans import Duration, Share

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=100)]
WEEK = timedelta(days=7)


class Approvals(Strict):
    """Who has to say yes before."""

    roles: Annotated[dict[Name, Annotated[int, Field(ge=1)]], Field(min_length=1)]
    """How many of each role."""
    expires: Duration = WEEK


class Guard(Strict):
    """What a switch to a mode needs."""

    preflight: Duration | None = None
    """A GO not older than this."""
    approvals: Approvals | None = None


class Criterion(Strict):
    """One reason to call a phase a success. Exactly one of ``expr``, ``no_alerts``, ``no_crashes``.

    It is put to ``over``, the time that ends now (default: the phase's ``min_duration``), and needs that
    much observation: a part without samples for longer than ``max_gap`` is not observed (I8).
    """

    name: Name
    title: str = ""
    expr: str | None = None
    """Has to hold at each look, one every ``every``."""
    no_alerts: Severity | None = None
    """No alert of this severity, or a worse one, was open."""
    no_crashes: bool = False
    over: Duration | None = None
    every: Duration = timedelta(minutes=1)
    max_gap: Duration = timedelta(minutes=5)
    gaps_allowed: Annotated[Share, Field(json_schema_extra={"default": "0%"})] = 0.0
    """How much of that time may lie in such gaps, if they are over: 1%."""
    min_samples: Annotated[int, Field(ge=1)] = 1
    failures_allowed: Annotated[int, Field(ge=0)] = 0
    """Looks at which ``expr`` may fail: 3 lets three pass, and the fourth is a failure."""

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        given = [self.expr is not None, self.no_alerts is not None, self.no_crashes]
        if sum(given) != 1:
            raise ValueError("give exactly one of expr, no_alerts, no_crashes")
        if self.every <= timedelta(0):
            raise ValueError("every must be longer than nothing, or the gate never ends")
        return self


class Kill(Strict):
    """One reason to stop at once: an alert rule of the phase, with an action that reduces exposure."""

    name: Name
    title: str = ""
    expr: str
    for_: Annotated[Duration, Field(alias="for")] = timedelta(0)
    severity: Severity = "critical"
    action: Acting = "pause"
    pause_kind: PauseKindName = "halt"
    mitigation: Name | None = None
    target: str = "last_stable"
    cooldown: Duration = timedelta(0)
    no_data_for: Duration = timedelta(minutes=2)


class Entry(Strict):
    """What entering the phase needs."""

    preflight: Duration | None = None
    approvals: Approvals | None = None


class Phase(Strict):
    """One step of the rollout."""

    name: Name
    title: str = ""
    mode: Literal["mock", "real"] | None = None
    min_duration: Duration = timedelta(0)
    scope: dict[Name, tuple[str, ...]] = {}
    """Symbols, slices, sessions."""
    exposure: dict[str, Plain] = {}
    """Limits by configuration key: a number is the most that the configuration may say."""
    choose: dict[str, str] = {}
    """By variable, which of the files that it chooses the configuration has in this phase."""
    overlay: dict[str, Plain] = {}
    """What the configuration says in this phase, by key path."""
    entry: Entry = Entry()
    goals: tuple[str, ...] = ()
    success: tuple[Criterion, ...] = ()
    kill: tuple[Kill, ...] = ()
    exit: tuple[str, ...] = ()
    """For people: what else has to be so before one goes on."""
