"""Channels as a plan names them: a plan is recorded as it is, so no secret may stand in an address (I6)."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from ledger.notify.specs import Apprise, Webhook


def webhook(url: str) -> Webhook:
    return Webhook(kind="webhook", name="pager", url=url)


@pytest.mark.parametrize(
    "url",
    [
        "${PAGER_URL}",
        "${BASE}/hook/9f8e7d6c5b4a39281706f5e4d3c2b1a0",
        "http://127.0.0.1:9093/api/v2/alerts",
        "https://alerts.internal:8443/api/v2/rollout-ledger-alerts?team=ops",
        "https://example.com/${HOOK_TOKEN}",
    ],
)
def test_an_address_that_may_be_recorded(url: str) -> None:
    assert webhook(url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook/9f8e7d6c5b4a39281706f5e4d3c2b1a0",
        "https://discord.com/api/webhooks/112233445566778899/x",
        "https://example.com/hook?key=abcdef0123456789abcdef",
        "https://ann:pw@example.com/hook",
    ],
)
def test_an_address_that_looks_like_a_secret_is_refused(url: str) -> None:
    """I6: of most services the path is the password."""
    with pytest.raises(ValidationError, match="looks like a secret"):
        webhook(url)


@pytest.mark.parametrize(
    "url", ["", "example.com/hook", "ftp://example.com", "http://", "mailto:a"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="write an address as"):
        webhook(url)


def test_an_address_of_apprise_is_always_a_variable() -> None:
    with pytest.raises(ValidationError):
        Apprise(kind="apprise", name="chat", url="slack://token")
    assert Apprise(kind="apprise", name="chat", url="${CHAT}").url == "${CHAT}"
