"""The version of the fold: a hash of the code by which events become a state.

Whoever keeps states that were folded keeps it beside them. So a state that other code has folded is known
as such, and folded anew; nobody has to remember to raise a number.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

DOMAIN: Final = Path(__file__).parent / "domain"
_NOT_FOLDED_BY: Final = frozenset({"decide.py", "events.py"})


@cache
def fold_version(domain: Path = DOMAIN) -> int:
    """Return the version of the fold whose code lies in ``domain``: 31 bits of its hash."""
    digest = hashlib.sha256()
    for path in sorted(domain.rglob("*.py")):
        if path.name not in _NOT_FOLDED_BY:
            digest.update(f"{path.relative_to(domain)}\0".encode())
            digest.update(path.read_bytes() + b"\0")
    return int.from_bytes(digest.digest()[:4]) >> 1
