"""Notifications: who was told, and who could not be."""

from __future__ import annotations

from ledger.domain.log.event import Count, Event


class NotificationDelivered(Event):
    """A channel took the message. Where it goes is a secret, so only its name stands here."""

    channel: str
    subject: str
    key: str
    """Of the occasion: alert, when it fired, status. The same is not sent twice."""
    attempts: Count


class NotificationFailed(Event):
    """A channel did not take it, after all attempts. It is tried again later, unless it is given up."""

    channel: str
    subject: str
    key: str
    attempts: Count
    explanation: str
    given_up: bool | None = None
    """Of an alert that is over: it has been tried for long enough."""
