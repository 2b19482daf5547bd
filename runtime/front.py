"""What a front end is to the runtime: a channel, and a place where people are told what is no result."""

from __future__ import annotations

from typing import Protocol

from ledger.domain.clock import Clock
from ledger.domain.log.ids import Channel


class Progress(Protocol):
    """Is told how far a long piece of work is, and how far it goes."""

    def __call__(self, reached: int, end: int, /) -> None: ...


class Front(Protocol):
    """A front end, such as the command line."""

    @property
    def channel(self) -> Channel:
        """By which events say that they came."""
        ...

    def say(self, message: str, /) -> None:
        """Tell whoever looks something that is no result."""
        ...

    def progress(self, what: str, clock: Clock, /) -> Progress:
        """Return what is told how far ``what`` is."""
        ...
