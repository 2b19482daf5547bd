"""What `rollout version` and `rollout --version` say."""

from __future__ import annotations

import platform
import sys

from ledger.service.core.creation import PROGRAM_VERSION


def version_text() -> str:
    """Return the program's version, and what it runs on."""
    return f"rollout-ledger {PROGRAM_VERSION} (Python {platform.python_version()}, {sys.platform})"
