"""The households' fixtures; and some of what root does can't happen to anybody else."""

from __future__ import annotations

import os

from tests.support.households import fresh, household, identity

__all__ = ["fresh", "household", "identity"]  # Fixtures of the tests beside this file.

collect_ignore = [] if os.geteuid() == 0 else ["test_embedded_as_root.py"]
