"""The checks of a profile, as they are written under ``checks:``. `docs/checks.md` has an example of each."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeAlias

from packaging.version import InvalidVersion, Version
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from ledger.configuration.strict import Misfit, Strict
from ledger.domain.log.event import Severity
from ledger.preflight.fields import (
    AnyText,
    Bounds,
    Duration,
    Name,
    Number,
    Size,
    Text,
    Whole,
    Words,
    has_placeholder,
    seconds_of,
)


def _quoted(value: Any) -> Any:
    if isinstance(value, int):  # YAML reads 0600 as the number 384
        raise ValueError('write it in quotes, as "0600"')  # noqa: TRY004 -- pydantic takes no TypeError
    return value


Priority: TypeAlias = Literal["P0", "P1", "P2", "P3"]
Variable: TypeAlias = Annotated[str, StringConstraints(pattern=r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$")]
"""``${NAME}`` of an environment variable, never the value itself."""
OctalMode: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^0?[0-7]{3}$"), BeforeValidator(_quoted)
]
Limits: TypeAlias = Annotated[dict[Text, Bounds], Field(min_length=1)]
Plain: TypeAlias = bool | int | float | str | None
"""What a key is compared with."""

VERSION_PATTERN: Final = r"(\d+(?:\.\d+)+(?:(?:a|b|rc)\d+)?)"


class Check(Strict):
    """What all checks have. ``timeout``: longer than that is no answer, and an ERROR."""

    name: Name
    title: str = ""
    priority: Priority = "P0"
    category: str = ""
    timeout: Duration = "10s"

    @field_validator("timeout")
    @classmethod
    def _some_time(cls, timeout: str) -> str:
        if not has_placeholder(timeout) and seconds_of(timeout) <= 0:
            raise ValueError("a check needs some time")
        return timeout


class Http(Check):
    """An endpoint answers: with that status, quickly enough, and with what is expected in its JSON."""

    kind: Literal["http"]
    url: Annotated[AnyText, StringConstraints(pattern=r"^(https?://|\$\{)[!-~]+$")]
    status: Whole = Field(default=200, validate_default=True)  # pyright: ignore[reportAssignmentType] -- validated
    max_latency_ms: Number | None = None
    warn_latency_ms: Number | None = None
    expect_json: dict[Text, Plain] = {}
    """Key path -> what must stand there."""

    @field_validator("url")
    @classmethod
    def _no_password(cls, url: str) -> str:
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise ValueError("no user and no password may stand in it: it would be recorded")
        return url


class SqlFreshness(Check):
    """The newest row of a table is not older than that. PostgreSQL, read-only."""

    kind: Literal["sql_freshness"]
    dsn: Variable
    table: Text
    """``table`` or ``schema.table``."""
    column: Text
    """A timestamp (without a zone: UTC), or a number of s, ms, µs or ns since 1970."""
    max_age: Duration
    warn_age: Duration | None = None


class JsonThresholds(Check):
    """Numbers in a JSON file lie within bounds, and the file is not older than that."""

    kind: Literal["json_thresholds"]
    path: Text
    values: Limits
    max_age: Duration | None = None
    warn_age: Duration | None = None


class File(Check):
    """A file or folder is there (or not), permits no more than that, and says what it must.

    A path may be a pattern (``audit/*.jsonl``): all that fit are looked at, and of the newest how old it is.
    """

    kind: Literal["file"]
    path: Text
    exists: bool = True
    mode: OctalMode | None = None
    """As "0600": it may permit less, never more."""
    executable: bool = False
    owner: Text | None = None
    contains_keys: tuple[Text, ...] = ()
    """Keys that are set: variables of a ``.env`` file, key paths of YAML, JSON, TOML and the like."""
    max_age: Duration | None = None
    warn_age: Duration | None = None

    @model_validator(mode="after")
    def _consistent(self) -> File:
        wanted = (self.mode, self.owner, self.max_age, self.warn_age)
        if not self.exists and (self.executable or self.contains_keys or any(wanted)):
            raise ValueError("exists: false leaves nothing else to look at")
        return self


class YamlParses(Check):
    """Files can be read as configurations are. ``paths`` may hold patterns (``config/**/*.yaml``)."""

    kind: Literal["yaml_parses"]
    paths: Words


class SecretScan(Check):
    """No secret stands in the files of a tree."""

    kind: Literal["secret_scan"]
    timeout: Duration = "1m"
    path: Text
    ignore: tuple[Text, ...] = ()
    """Patterns of paths in the tree, beside what is never looked into."""
    max_file_size: Size = "1MiB"
    max_files: Whole = Field(default=20_000, validate_default=True)  # pyright: ignore[reportAssignmentType] -- validated


class DiskSpace(Check):
    """So much is free on the disk of a path: ``5GiB``, or ``10%`` of it."""

    kind: Literal["disk_space"]
    path: Text = "."
    min_free: Size
    warn_free: Size | None = None


class Writable(Check):
    """Something can be written into each of these folders and files."""

    kind: Literal["writable"]
    paths: Words


class ProgramVersion(Check):
    """A program says that it has at least (at most) that version."""

    kind: Literal["program_version"]
    command: Words
    pattern: Text = VERSION_PATTERN
    """A regular expression; its first group is the version."""
    min: Text | None = None
    warn_min: Text | None = None
    max: Text | None = None

    @model_validator(mode="after")
    def _consistent(self) -> ProgramVersion:
        try:
            groups = re.compile(self.pattern).groups
        except re.error as error:
            raise ValueError(f"pattern is no regular expression: {error}") from error
        if not groups:
            raise ValueError("pattern needs a group (in parentheses) for the version")
        if self.min is None and self.max is None and self.warn_min is None:
            raise ValueError("min, max or warn_min is needed")
        for bound in (self.min, self.max, self.warn_min):
            if bound is not None and not has_placeholder(bound):
                _check_version(bound)
        return self


class Command(Check):
    """A program ends with one of these codes. The end of what it says is kept, without secrets."""

    kind: Literal["command"]
    command: Words
    exit_codes: Annotated[tuple[Whole, ...], Field(min_length=1, validate_default=True)] = (0,)  # pyright: ignore[reportAssignmentType] -- validated
    warn_codes: tuple[Whole, ...] = ()
    cwd: Text = "."
    env: dict[Text, AnyText] = {}


class KeyRule(Bounds):
    """What a key of the configuration must say."""

    equals: Plain = None
    one_of: tuple[Plain, ...] = ()
    absent_ok: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> KeyRule:
        if "equals" in self.model_fields_set and (self.one_of or not self.is_empty):
            raise ValueError("equals leaves nothing for one_of, min or max")
        return self


class ConfigKey(Check):
    """Keys of the configuration equal something, or lie between bounds."""

    kind: Literal["config_key"]
    of: Literal["in_force", "in_place"] = "in_force"
    """What the ledger says is in force, or what lies in the system's files now."""
    keys: Annotated[dict[Text, KeyRule], Field(min_length=1)]


class Backup(Check):
    """The last verified backup is not older than that."""

    kind: Literal["backup"]
    max_age: Duration
    warn_age: Duration | None = None


class AlertsOpen(Check):
    """No alert of that severity, or a worse one, is open; none was critical for that long."""

    kind: Literal["alerts_open"]
    none_of: Severity = "critical"
    """``critical``: warnings may be open. ``info``: nothing may."""
    warn_of: Severity | None = None
    no_critical_for: Duration | None = None


class SignOffs(Check):
    """Somebody of each role has said yes, not longer ago than that."""

    kind: Literal["sign_offs"]
    roles: Words
    max_age: Duration | None = None


class Ledger(Check):
    """The ledger answers, in the role that appends."""

    kind: Literal["ledger"]


class Metric(Check):
    """The newest recorded value of a metric lies within bounds, and is not older than that."""

    kind: Literal["metric"]
    metric: Text
    labels: dict[Text, AnyText] = {}
    bounds: Bounds
    max_age: Duration = "5m"


class CodeRevision(Check):
    """A git checkout has no change that is not committed, and stands at a revision."""

    kind: Literal["code_revision"]
    path: Text = "."
    at: Text | None = None
    """A branch, a tag or a commit (a short one too)."""
    clean: bool = True
    untracked_ok: bool = False


CheckSpec: TypeAlias = Annotated[
    Http
    | SqlFreshness
    | JsonThresholds
    | File
    | YamlParses
    | SecretScan
    | DiskSpace
    | Writable
    | ProgramVersion
    | Command
    | ConfigKey
    | Backup
    | AlertsOpen
    | SignOffs
    | Ledger
    | Metric
    | CodeRevision,
    Field(discriminator="kind"),
]


def _unique(checks: tuple[Any, ...]) -> tuple[Any, ...]:
    seen: set[str] = set()
    for index, check in enumerate(checks):
        if check.name in seen:
            raise Misfit((index, "name"), f"two checks have the name {check.name!r}")
        seen.add(check.name)
    return checks


Checks: TypeAlias = Annotated[tuple[CheckSpec, ...], AfterValidator(_unique)]
"""The ``checks:`` of a profile: each name once."""


def _check_version(text: str) -> None:
    try:
        Version(text)
    except InvalidVersion as error:
        raise ValueError(f"{text!r} is no version: write it like 3.11.2") from error
