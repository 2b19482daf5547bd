"""Other schemes' words for how bad an alert is (seeds 000, 002, 003). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SEVERITIES: Final[Mapping[str, str]] = {
    "critical": "critical", "alarm": "critical", "page": "critical", "error": "critical",
    "p0": "critical", "p1": "critical",
    "warning": "warning", "warn": "warning", "p2": "warning",
    "info": "info", "p3": "info",
}  # fmt: skip
