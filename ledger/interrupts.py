"""Ctrl-C held back for the moment between making a thing and seeing to its removal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_held() -> Generator[None]:
    """Hold back Ctrl-C until the block has ended; then it interrupts, as it would have.

    The handler is exchanged, not the signal blocked: a library's thread would take a signal that
    only this one blocks. Only the main thread is ever interrupted, so in another nothing is done.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is None:
        yield
        return
    came: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    _ = signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        _ = signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)
