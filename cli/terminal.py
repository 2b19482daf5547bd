"""The command line as the front end that the runtime talks to."""

from __future__ import annotations

from cli.output import say
from cli.progress import Progress
from ledger.domain.clock import Clock
from ledger.domain.log.ids import Channel


class Terminal:
    """Tells people on stderr."""

    channel: Channel = Channel.CLI

    @staticmethod
    def say(message: str) -> None:
        """Tell the person at the terminal something that is not data."""
        say(message)

    @staticmethod
    def progress(what: str, clock: Clock) -> Progress:
        """Return what tells how far ``what`` is."""
        return Progress(what, clock)
