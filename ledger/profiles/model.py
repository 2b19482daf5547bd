"""The plan of a rollout, as its YAML file has it. Strict: what is not known here is refused.

``docs/profiles.md`` explains it key by key; ``profile.schema.json`` is for editors.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic.json_schema import GenerateJsonSchema

from ledger.alerts.muting import Inhibition
from ledger.configuration.strict import Misfit, Strict
from ledger.domain.values.durations import duration_text
from ledger.domain.values.fingerprints import Plain
from ledger.domain.values.spans import Duration
from ledger.domain.values.spelling import did_you_mean
from ledger.metrics.specs import MetricSource
from ledger.notify.specs import Address, Channel
from ledger.preflight.specs import Checks
from ledger.profiles.phases import Guard, Kill, Name, Phase

HALF_HOUR = timedelta(minutes=30)
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class ConfigPlace(Strict):
    """A configuration file: its name in snapshots and where it lies."""

    name: str
    path: str


class CodeCheckout(Strict):
    """A git checkout that the system runs from: what a full rollback puts back."""

    repository: str
    fallback: str
    """The tag or commit to go back to."""
    config: str | None = None
    """The tag or fingerprint of the configuration that belongs to it. Absent: the one in force stays."""
    restart: tuple[str, ...] = ()
    """What starts the system again after a checkout. Empty: somebody does it by hand."""
    restart_timeout: Duration = timedelta(minutes=1)


class ActuatorPlaces(Strict):
    """How decisions reach the system. HTTP is preferred where both ways to the mode are named."""

    control_file: str | None = None
    http_admin: str | None = None
    config_files: tuple[ConfigPlace, ...] = ()
    mitigation_file: str | None = None
    confirm_timeout: Duration = timedelta(seconds=5)
    code: CodeCheckout | None = None


class Mitigation(Strict):
    """Less than a pause, for a while. It never raises exposure (I9)."""

    kind: Literal["down_weight", "pause_slice", "pause_calibration", "lock", "override"]
    target: str = ""
    """May hold {{ $labels.NAME }} of the alert: the slice that it is about."""
    factor: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Of a down-weight."""
    key: str | None = None
    """Of a lock or an override: the configuration key."""
    value: Plain = None
    change: float | None = None
    """Of an override, instead of a value: what is added to what the configuration says."""
    min: float | None = None
    max: float | None = None
    safer: Literal["lower", "higher", "either"] | None = None
    """Of an override: on which side less is at stake. It is refused if it would go the other way."""
    expires: Duration = timedelta(hours=1)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needs: dict[str, Iterable[str]] = {
            "down_weight": ("factor",), "lock": ("key",), "override": ("key", "safer"),
        }  # fmt: skip
        for name in needs.get(self.kind, ()):
            if getattr(self, name) is None:
                raise ValueError(f"a mitigation of the kind {self.kind} needs {name}")
        if self.kind == "override":
            if (self.value is None) == (self.change is None):
                raise ValueError("an override needs either value or change")
            if self.safer == "either" and (self.min is None or self.max is None):
                raise ValueError("an override that may go either way needs min and max")
        return self


class Watch(Strict):
    """How the system is watched."""

    interval: Duration = timedelta(seconds=15)
    dead_man: Duration = timedelta(minutes=2)
    """Nobody watching for longer than this is an alert of its own."""
    lookback: Duration = timedelta(minutes=5)
    """A sample older than this is none any more."""
    heartbeat_url: Address | None = None
    """Asked after each round, so that somebody else notices when that stops; may be ${VARIABLE}."""


class Retention(Strict):
    """How long evidence is kept. Events are kept for ever."""

    backups: Duration = timedelta(days=7)


class Reports(Strict):
    """What is written without being asked for."""

    stop: Literal["en", "zh"] | None = None
    """The language of the stop report that `rollout run` writes at the end. None: it writes none."""


class Waivers(Strict):
    """What a person may take on themselves."""

    longest: Duration = timedelta(days=7)
    """How long a waiver lasts at most, a broken glass too."""


class Preflight(Strict):
    """How checks are judged."""

    max_age: Duration = HALF_HOUR
    """How fresh a GO has to be for a switch to real, where `modes` does not say it."""
    blocking: tuple[Literal["P0", "P1", "P2", "P3"], ...] = ("P0",)
    """Priorities whose failure is NO_GO."""


class Profile(Strict):
    """One rollout plan."""

    profile: Name
    description: str = ""
    environment: Literal["staging", "production"]
    params: dict[Name, Plain] = {}
    """Values that checks name as ${NAME}; `--param NAME=VALUE` sets another one."""
    actuators: ActuatorPlaces = ActuatorPlaces()
    choices: dict[VariableName, Annotated[dict[str, str], Field(min_length=2)]] = {}
    """By the variable that chooses one of several configuration files: its value -> the file's name."""
    variables: str | None = None
    """The name of the configuration file (``.env``) that `rollout run` gives the program as variables."""
    first_line: tuple[str, ...] = ()
    """The configuration keys that `rollout run` names in its first line; of a mapping all below it."""
    modes: dict[Literal["mock", "real"], Guard] = {}
    preflight: Preflight = Preflight()
    waivers: Waivers = Waivers()
    checks: Checks = ()
    phases: tuple[Phase, ...] = ()
    rules: tuple[str, ...] = ()
    """Prometheus rule files, beside the profile."""
    metrics: tuple[MetricSource, ...] = ()
    mitigations: dict[Name, Mitigation] = {}
    notify: tuple[Channel, ...] = ()
    inhibit: tuple[Inhibition, ...] = ()
    """Which alerts nobody is told of while another one fires."""
    watch: Watch = Watch()
    reports: Reports = Reports()
    retention: Retention = Retention()

    @model_validator(mode="after")
    def _names(self) -> Self:
        _once(("phases",), "phase", (phase.name for phase in self.phases))
        _once(("metrics",), "metric source", (source.name for source in self.metrics))
        _once(("notify",), "channel", (channel.name for channel in self.notify))
        for index, phase in enumerate(self.phases):
            at = ("phases", index)
            _once(
                (*at, "success"), f"criterion of {phase.name}", (one.name for one in phase.success)
            )
            _once(
                (*at, "kill"), f"kill criterion of {phase.name}", (one.name for one in phase.kill)
            )
            for number, kill in enumerate(phase.kill):
                self._mitigates(kill, (*at, "kill", number))
            for variable, choice in phase.choose.items():
                self._chooses(variable, choice, (*at, "choose", variable))
            if phase.success and not (phase.min_duration or all(one.over for one in phase.success)):
                raise Misfit((*at, "success"), "success needs a min_duration, or over in each")
        return self

    def _chooses(self, variable: str, choice: str, at: tuple[str | int, ...]) -> None:
        files_by_choice = self.choices.get(variable)
        if files_by_choice is None:
            raise Misfit(at, f"choices names no files that {variable} chooses")
        if choice not in files_by_choice:
            wanted = did_you_mean(choice, files_by_choice) or "known here: " + ", ".join(
                files_by_choice
            )
            raise Misfit(at, f"{variable} has no choice {choice!r}; {wanted}")

    def _mitigates(self, kill: Kill, at: tuple[str | int, ...]) -> None:
        if (kill.action == "mitigate") != (kill.mitigation is not None):
            raise Misfit(at, "mitigate goes with a mitigation")
        if kill.mitigation is not None and kill.mitigation not in self.mitigations:
            wanted = did_you_mean(kill.mitigation, self.mitigations)
            problem = f"there is no mitigation {kill.mitigation!r}"
            raise Misfit((*at, "mitigation"), f"{problem}; {wanted}" if wanted else problem)

    @property
    def guards(self) -> dict[Literal["mock", "real"], Guard]:
        """What a switch to each mode needs: to real a fresh GO, unless it is said that it needs none."""
        real = self.modes.get("real", Guard())
        if self.checks and "preflight" not in real.model_fields_set:
            real = real.model_copy(update={"preflight": self.preflight.max_age})
        return self.modes if real == Guard() else {**self.modes, "real": real}

    def phase(self, name: str) -> Phase | None:
        """Return the phase of that name."""
        return next((phase for phase in self.phases if phase.name == name), None)


class _AsWritten(GenerateJsonSchema):
    """Defaults as a person would write them: an editor may put them into the file."""

    def encode_default(self, dft: Any) -> Any:
        return duration_text(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a profile, for editors."""
    schema = Profile.model_json_schema(by_alias=True, schema_generator=_AsWritten)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema}


def _once(at: tuple[str | int, ...], what: str, names: Iterable[Any]) -> None:
    seen: set[Any] = set()
    for index, name in enumerate(names):
        if name in seen:
            raise Misfit((*at, index, "name"), f"there are two of the {what} {name}")
        seen.add(name)
