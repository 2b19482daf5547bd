"""Channels as a plan names them. Where they lead to is a secret: it comes from the environment."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from ledger.configuration.strict import Strict
from ledger.domain.log.event import Severity
from ledger.domain.values.durations import parse_duration
from ledger.domain.values.spans import Duration

_VARIABLE: Final = re.compile(r"\$\{\w+\}")
_TOKEN: Final = re.compile(r"(?=.*\d)[\w-]{16,}")


def _without_token(url: str) -> str:
    """Refuse an address that is none, or that holds what looks like a secret: a plan is recorded."""
    if _VARIABLE.match(url):
        return url
    parts = urlsplit(_VARIABLE.sub("", url))
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError("write an address as ${WEBHOOK_URL}, or http://… or https://…")
    said = [*parts.path.split("/"), *re.split("[=&]", parts.query)]
    if "@" in parts.netloc or any(_TOKEN.fullmatch(part) for part in said):
        raise ValueError("this looks like a secret: name a variable instead, ${WEBHOOK_URL}")
    return url


Address = Annotated[str, AfterValidator(_without_token)]
"""Where to: ${VARIABLE}, or a URL without a token."""


class _Channel(Strict):
    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$")]
    min_severity: Severity = "warning"
    attempts: Annotated[int, Field(ge=1, le=20)] = 4
    timeout: Duration = parse_duration("10s")
    """For one attempt. The apprise library has its own, in its URL: ``?cto=4&rto=4``."""
    repeat: Duration | None = None
    """Told again after that long, while the alert fires and nobody has acknowledged it. None: once."""
    group_by: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """What is due at once and has the same values of these labels is one message. None: each alone."""


class Webhook(_Channel):
    """A POST of JSON in the form of Alertmanager's webhooks."""

    kind: Literal["webhook"]
    url: Address
    headers: dict[str, str] = {}


class Apprise(_Channel):
    """Mail, chat, pagers: whatever the apprise library knows."""

    kind: Literal["apprise"]
    url: Annotated[str, Field(pattern=r"^\$\{\w+\}$")]
    """${VARIABLE}: an apprise URL holds a password or a token."""


class File(_Channel):
    """JSON lines, appended to a file."""

    kind: Literal["file"]
    path: str


Channel = Annotated[Webhook | Apprise | File, Field(discriminator="kind")]
