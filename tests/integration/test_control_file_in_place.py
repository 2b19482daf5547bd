"""A control file that can't be replaced: a pause is written over it where it stands, all else is refused."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from ledger.actuators.control_file import ControlFile
from ledger.domain.values.actuation import NotCarried
from ledger.domain.values.modes import Mode
from tests.support.switching import switch

REAL = json.dumps({"mode": "real", "message": "x" * 60, "own": 1})


def refuse(fault: int) -> None:
    raise OSError(fault, os.strerror(fault))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "mode.json"
    path.write_text(REAL)
    return path


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EROFS, errno.EBUSY, errno.EACCES])
@pytest.mark.parametrize("mode", [Mode.PAUSED, Mode.MOCK, Mode.REAL])
def test_only_a_pause_is_written_in_place(
    path: Path, monkeypatch: pytest.MonkeyPatch, fault: int, mode: Mode
) -> None:
    """I33: a full disk, a read-only folder, a file mounted by itself: `rename` fails, writing does not."""
    monkeypatch.setattr(Path, "replace", lambda _self, _target: refuse(fault))
    if mode is not Mode.PAUSED:
        with pytest.raises(NotCarried):
            switch(ControlFile(path), mode)
        assert path.read_text() == REAL
        return
    carried = switch(ControlFile(path), mode)
    assert carried.confirmed
    assert "in place" in carried.warnings[0]
    assert json.loads(path.read_text())["own"] == 1
    assert [each.name for each in path.parent.iterdir()] == ["mode.json"]


@pytest.mark.parametrize("room", [0, 20], ids=["no room", "room for less than the reason"])
def test_a_disk_with_no_room_for_the_reason_has_room_for_the_mode(
    path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """I33: what fits where the old content stands is written; half of a longer one does not stay."""
    end, pwrite = len(REAL) + room, os.pwrite

    def full(descriptor: int, content: bytes, offset: int) -> int:
        if offset >= end:
            refuse(errno.ENOSPC)
        return pwrite(descriptor, content[: end - offset], offset)

    monkeypatch.setattr(Path, "replace", lambda _self, _target: refuse(errno.ENOSPC))
    monkeypatch.setattr(os, "pwrite", full)
    carried = ControlFile(path).switch(
        mode=Mode.PAUSED, pause_kind=None, message="a reason " * 30, operation_id="op-1"
    )
    assert carried.confirmed
    assert json.loads(path.read_text())["mode"] == "paused"
    monkeypatch.setattr(os, "pwrite", lambda *_: refuse(errno.ENOSPC))
    before = path.read_text()
    with pytest.raises(NotCarried):
        switch(ControlFile(path), Mode.PAUSED)
    assert path.read_text() == before
