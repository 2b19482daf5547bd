"""Rebuilds the read models of one ledger in a process of its own, so that its memory can be watched.

python -m bench.rebuild_worker DSN: prints the seconds that it took.
"""

from __future__ import annotations

import sys
from functools import partial
from time import perf_counter

from ledger.clock import SystemClock
from ledger.store.connect import PROJECTOR, open_connection
from projections.engine.runner import Projector


def main(dsn: str) -> None:
    """Rebuild as `rollout projections rebuild` does."""
    projector = Projector(partial(open_connection, dsn, role=PROJECTOR), SystemClock())
    began = perf_counter()
    projector.rebuild()
    print(perf_counter() - began)
    projector.close()


if __name__ == "__main__":
    main(sys.argv[1])
