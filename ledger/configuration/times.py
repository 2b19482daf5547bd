"""Values that YAML and TOML have and JSON has not, in a form that no text can be mistaken for."""

from __future__ import annotations

import base64
import datetime as dt
from typing import cast

from ledger.domain.values.fingerprints import Value


def tagged(value: object) -> Value:
    """Return a date, a time or bytes as a mapping with one reserved key; anything else as it is."""
    if isinstance(value, dt.datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, dt.date):
        return {"$date": value.isoformat()}
    if isinstance(value, dt.time):
        return {"$time": value.isoformat()}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    return cast("Value", value)
