"""The version of the fold: a hash of the code by which events become a state.

Whoever keeps states that were folded keeps it beside them. So a state that other code has folded is known
as such, and folded anew; nobody has to remember to raise a number.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

DOMAIN: Final = Path(__file__).parent / "domain"
_NOT_FOLDED_BY: Final = frozenset({"decide.py", "events.py"})


@cache
def fold_version(domain: Path = DOMAIN) -> int:
    """Return the version of the fold whose code lies in ``domain``: 31 bits of its hash."""
    digest = hashlib.sha256()
    root = str(domain)
    for path in sorted(_modules(root)):
        with open(path, "rb") as module:  # noqa: PTH123 -- each pause reads them all, and must start at once
            digest.update(path.removeprefix(root).encode() + b"\0" + module.read() + b"\0")
    return int.from_bytes(digest.digest()[:4]) >> 1


def _modules(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                if entry.name not in _NOT_FOLDED_BY:
                    yield entry.path
            elif entry.name != "__pycache__" and entry.is_dir():
                yield from _modules(entry.path)
