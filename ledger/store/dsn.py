"""Reading, showing and connecting with a DSN, without ever showing the secret in it.

libpq itself says which settings are secret (its "display" mark), so that no list of ours can fall
behind. A DSN that libpq reads differently from what its writer meant (an unescaped ``@`` or ``/``
in a password puts half of it into the host's or the database's name) is never shown and never used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus, unquote

from psycopg import Error as PsycopgError, pq

from ledger.domain.errors import BadInput, UsageError

HIDDEN: Final = "***"
UNREADABLE: Final = "(a DSN that can't be read)"
CONNECT_TIMEOUT_SECONDS: Final = 10
DSN_MAX_BYTES: Final = 65_536

_PLACE: Final = {
    "service": "PGSERVICE",
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
}
_SECRET_MARK: Final = b"*"
_PORTS: Final = re.compile(r"^[0-9]*(?:,[0-9]*)*$", re.ASCII)
_USER_INFO: Final = re.compile(r"://[^:@/]*:([^@/]*)@")
_QUERY_VALUE: Final = re.compile(r"[?&][^=&]*=([^&]*)")
_HELP: Final = (
    "Write postgresql://USER@HOST:PORT/DATABASE or 'host=… dbname=… user=…';"
    " in a postgresql:// DSN, write @ : / ? # % in a password as %40 %3A %2F %3F %23 %25."
)


@dataclass(frozen=True, slots=True)
class _Setting:
    value: str
    secret: bool


def redact(dsn: str) -> str:
    """Return ``dsn`` as ``host=… dbname=… password=***``: fit for a log, an error and a screen.

    ``""`` when it names nothing itself and leaves all to the PG… variables.
    """
    try:
        settings = _read(dsn)
    except BadInput:
        return UNREADABLE
    return " ".join(
        f"{key}={HIDDEN if setting.secret else quote_value(setting.value)}"
        for key, setting in settings.items()
    )


def scrub(text: str, dsn: str) -> str:
    """Return ``text`` (a driver's error, say) with every secret of ``dsn`` replaced by ``***``."""
    try:
        settings = _read(dsn)
    except BadInput:
        # Which part of an unreadable DSN is its password can't be told: the text goes as a whole.
        return UNREADABLE
    written = [*_USER_INFO.findall(dsn), *_QUERY_VALUE.findall(dsn)]
    secrets = {setting.value for setting in settings.values() if setting.secret and setting.value}
    forms = {form for secret in secrets for form in _spellings(secret)}
    forms.update(raw for raw in written if raw and unquote(raw) in secrets)
    text = text.replace(dsn, redact(dsn))
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return text


def dsn_from_option(text: str) -> str:
    """Return the DSN that ``--dsn TEXT`` or ``--dsn @FILE`` names.

    Raises:
        BadInput: the file can't be read, or what it holds is no DSN.
        UsageError: ``TEXT`` holds a password.
    """
    if not text.startswith("@"):
        reject_password_on_command_line(text)
        return text
    path = Path(text[1:])
    try:
        with path.open("rb") as file:
            dsn = file.read(DSN_MAX_BYTES).decode().strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadInput(
            f"The DSN file {path} can't be read: {reason}.",
            hint="It holds one line, the DSN; keep it readable to you alone: chmod 600.",
        ) from None
    _read(dsn)
    return dsn


def reject_password_on_command_line(dsn: str) -> None:
    """Raise unless ``dsn`` is free of secrets: an argument shows in ``ps`` and in shell history.

    Raises:
        BadInput: ``dsn`` can't be read.
        UsageError: it holds a password.
    """
    if any(setting.secret for setting in _read(dsn).values()):
        raise UsageError(
            "--dsn holds a password, which `ps` and the shell's history show to others.",
            hint="Put the DSN into ROLLOUT_DSN or a file (--dsn @FILE), or the password into"
            " ~/.pgpass.",
        )


def place_of(dsn: str | None, environ: Mapping[str, str]) -> str:
    """Return which database ``dsn`` names, whoever asks; it holds no secret. None: the embedded one."""
    if dsn is None:
        return "embedded"
    try:
        settings = _read(dsn)
    except BadInput:
        return UNREADABLE
    return " ".join(
        f"{key}={_value(settings, key) or environ.get(variable, '')}"
        for key, variable in _PLACE.items()
    )


def quote_value(value: str) -> str:
    """Return ``value`` as libpq's ``key=value`` form wants it."""
    if value and re.fullmatch(r"[^\s'\\]+", value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _read(dsn: str) -> dict[str, _Setting]:
    """Return the settings that ``dsn`` names, or raise a `BadInput` that shows nothing of it."""
    if not dsn.strip() or "\0" in dsn:
        raise BadInput("The DSN is empty or holds a NUL character.", hint=_HELP)
    try:
        options = pq.Conninfo.parse(dsn.encode())
    except (PsycopgError, ValueError):
        raise BadInput("The DSN can't be read.", hint=_HELP) from None
    settings = {
        option.keyword.decode(): _Setting(option.val.decode(), option.dispchar == _SECRET_MARK)
        for option in options
        if option.val is not None
    }
    if not _PORTS.match(_value(settings, "port")):
        raise BadInput("The DSN's port is not a number.", hint=_HELP)
    if any("@" in _value(settings, key) for key in ("host", "dbname")):
        raise BadInput("The DSN holds an @ in its host or database name.", hint=_HELP)
    return settings


def _value(settings: dict[str, _Setting], key: str) -> str:
    return settings[key].value if key in settings else ""


def _spellings(secret: str) -> set[str]:
    return {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        quote_value(secret).strip("'"),
        repr(secret)[1:-1],
    }
