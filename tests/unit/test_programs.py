"""Why a program did not start, in a few words."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ledger.programs import start_fault

DENIED = PermissionError(13, os.strerror(13))


@pytest.mark.parametrize(
    ("program", "error", "fault"),
    [
        ("no-such-program", DENIED, "no such file or directory"),
        ("not-executable", DENIED, "permission denied"),
        ("./no-such-program", DENIED, "permission denied"),
        ("no-such-program", FileNotFoundError(2, os.strerror(2)), "no such file or directory"),
        ("with\0null", ValueError("embedded null byte"), "embedded null byte"),
    ],
)
def test_a_program_that_is_nowhere_is_not_called_forbidden(
    tmp_path: Path, program: str, error: Exception, fault: str
) -> None:
    """A folder of PATH that may not be entered makes the system deny what is in no other."""
    (tmp_path / "not-executable").write_text("#!/bin/sh\n")
    (tmp_path / "not-executable").chmod(stat.S_IRUSR)
    assert start_fault(program, error, {"PATH": str(tmp_path)}) == fault
