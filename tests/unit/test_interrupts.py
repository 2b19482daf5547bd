"""Ctrl-C between the making of a file and the promise to remove it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger import files, folders
from ledger.interrupts import interrupts_held


def test_an_interrupt_waits_for_the_end_of_the_block() -> None:
    """It is not lost, and comes where what was made is already seen to."""
    done: list[str] = []

    def work() -> None:
        with interrupts_held():
            signal.raise_signal(signal.SIGINT)
            done.append("the block")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["the block"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_thread_that_is_never_interrupted_holds_nothing_back() -> None:
    handlers: list[object] = []

    def work() -> None:
        with interrupts_held():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]


def written(target: Path) -> None:
    files.write_atomically(target, b"new")


def opened(target: Path) -> None:
    with files.open_atomically(target) as file:
        _ = file.write(b"new")


def foldered(target: Path) -> None:
    folders.write_folder(target, {"a": b"new"})


def scratched(target: Path) -> None:
    with folders.scratch_folder("scratch"):
        pass


@pytest.mark.parametrize("write", [written, opened, foldered, scratched])
def test_an_interrupt_right_after_a_temporary_file_is_made_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None]
) -> None:
    """I12: whatever has been made when Ctrl-C comes is gone when the command has ended."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    making = "open" if write in {written, opened} else "mkdir"
    monkeypatch.setattr(os, making, interrupted_after(getattr(os, making)))
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "target")
    assert list(tmp_path.iterdir()) == []


def interrupted_after(make: Callable[..., object]) -> Callable[..., object]:
    signals = [signal.SIGINT]  # once: what is made while tidying up is not interrupted again

    def made(*arguments: object, **named: object) -> object:
        result = make(*arguments, **named)
        if signals:
            signal.raise_signal(signals.pop())
        return result

    return made
