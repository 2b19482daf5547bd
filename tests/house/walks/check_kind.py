"""Recipe 5, seen to work: a plan may have the check, and it measures."""

from __future__ import annotations

from pathlib import Path

from tests.support.preflight import find


def main() -> None:
    """Measure a machine that is idle for some, and busy for others."""
    calm = find(Path(), "kind: load_average, max: 9000")
    assert (calm.result, calm.threshold) == ("PASS", "at most 9000")
    assert float(calm.measured) >= 0
    busy = find(Path(), "kind: load_average, max: -1")
    assert (busy.result, busy.measured[-3]) == ("FAIL", ".")


if __name__ == "__main__":
    main()
