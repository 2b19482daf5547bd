"""Secrets known by their look, in values and in prose (promise I6); and what must stay readable."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from ledger.configuration.patterns import find, is_placeholder
from ledger.configuration.secrets import UNKEYED, redact_text, united

HEX = "4f3edf983ac636a65a842ce7c78d9aa706d3b113bce9c46f30d7d21715b23b1d"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
WORDS = "abandon " * 11 + "about"
PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIAh\n-----END EC PRIVATE KEY-----"

# What of each text is a secret. Split where a scanner of this repository would take it for a real one.
FOUND = [
    (f"leaked 0x{HEX} yesterday", f"0x{HEX}"),
    (PEM, PEM),
    ("postgresql://bot:s3cret@db:5432/x", "s3cret"),
    ("redis://:pa/ss@cache", "pa/ss"),
    ("amqp://u:p@ss@host/v", "p@ss"),
    (
        "https://polygon-mainnet.g.alchemy.com/v2/abcdEFGH1234abcdEFGH1234",
        "abcdEFGH1234abcdEFGH1234",
    ),
    (f"https://mainnet.infura.io/v3/{HEX[:32]}", HEX[:32]),
    ("wss://x.quiknode.pro/" + HEX[:40], HEX[:40]),
    ("https://discord.com/api/webhooks/1234/abc-DEF_9", "abc-DEF_9"),
    ("https://hooks.slack.com/services/T01/B02/" + "abcdef123", "T01/B02/abcdef123"),
    ("https://api.x.com/v1?api_key=abcdefgh1&x=1", "abcdefgh1"),
    ("Authorization: Bearer abcdef0123456789abcdef", "abcdef0123456789abcdef"),
    (f"the token {JWT} expired", JWT),
    ("AKIA" + "IOSFODNN7EXAMPLE", "AKIA" + "IOSFODNN7EXAMPLE"),
    ("ghp_" + "a1" * 18, "ghp_" + "a1" * 18),
    ("glpat-" + "a1b2c3d4e5f6g7h8i9j0", "glpat-" + "a1b2c3d4e5f6g7h8i9j0"),
    ("xoxb-" + "123456789012-abcdefabcdef", "xoxb-" + "123456789012-abcdefabcdef"),
    ("sk_live_" + "a1b2c3d4e5f6g7h8i9j0k1l2", "sk_live_" + "a1b2c3d4e5f6g7h8i9j0k1l2"),
    (
        "sk-proj-" + "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6",
        "sk-proj-" + "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6",
    ),
    ("SG." + "a" * 22 + "." + "b" * 43, "SG." + "a" * 22 + "." + "b" * 43),
    ("bot 123456789:AA" + "b" * 33, "123456789:AA" + "b" * 33),
    ("https://api.telegram.org/bot123456789:AA" + "b" * 33 + "/x", "123456789:AA" + "b" * 33),
    ("AC" + "a1" * 16, "AC" + "a1" * 16),
    ("api_secret=abc123def", "abc123def"),
    ("note: password: hunter2", "hunter2"),
    ("bot --password hunter2 --dry-run", "hunter2"),
    ("bot --api-key=Ab12Cd34Ef56", "Ab12Cd34Ef56"),
    ("export BINANCE_SECRET='x9x9x9x9'", "x9x9x9x9"),
    (f"seed phrase: {WORDS}", WORDS),
]

READABLE = [
    "the spread is too wide: pausing until the seed round",
    "rolled back to sha256:" + HEX,
    f"tx 0x{HEX} reverted",
    f"https://polygonscan.io/tx/0x{HEX}",
    f"condition_id: 0x{HEX}",
    "wallet 0x" + HEX[:40],
    "https://host:8080/path?email=a@b.c",
    "https://polygon-rpc.com",
    "wss://ws-subscriptions-clob.polymarket.com/ws/market",
    "password: unchanged",
    "password=${DB_PASSWORD}",
    "the secret: it was rotated on 2026-02-01",
    "token=USDC for the Asia session",
    "APEUSDTPERP, BTC/USDT, 550e8400-e29b-41d4-a716-446655440000",
    "basic strategy with the risk-off-sk-profile-for-asia",
    "key: grid.levels[2].price",
    "hmac-sha256:42507258:" + HEX,
    "password=secret:hmac-sha256:42507258:" + HEX,
    "postgresql://bot:secret:hmac-sha256:42507258:" + HEX + "@db/x",
    "12345678:" + HEX,
]


@pytest.mark.parametrize(("text", "secret"), FOUND, ids=[text[:24] for text, _ in FOUND])
def test_a_secret_is_found_as_a_whole(text: str, secret: str) -> None:
    """I6: wherever it stands in a text."""
    assert [text[a:b] for a, b in united(find(text))] == [secret]
    assert redact_text(text) == text.replace(secret, UNKEYED)


def test_a_secret_is_removed_wherever_it_stands_in_a_text() -> None:
    """I6: once it is known for one, also where nothing says so."""
    text = f"{HEX[:24]} leaked: secret={HEX[:24]}"
    assert redact_text(text) == f"{UNKEYED} leaked: secret={UNKEYED}"


@pytest.mark.parametrize("text", READABLE)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    """A reason in the log must say what its writer said (I11)."""
    assert redact_text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "${BINANCE_KEY}",
        "$API_KEY",
        "env:API_KEY",
        "<your api key>",
        "{{ vault.key }}",
        "***",
        "",
        " ",
        "xxxx",
        "YOUR_API_KEY",
        "vault:kv/bot#key",
        "Bearer ${TOKEN}",
        "%(KEY)s",
        "ENC[AES256_GCM,data:x]",
        "null",
    ],
)
def test_a_placeholder_is_no_secret(text: str) -> None:
    """Where the secret is may be known, and blame should show when it moves."""
    assert is_placeholder(text)


@pytest.mark.parametrize("text", ["${DB_PASSWORD:-hunter2}", "hunter2", "$ecret99", "changeme"])
def test_what_only_resembles_a_placeholder_is_a_secret(text: str) -> None:
    """I6: a default in a placeholder is the secret itself."""
    assert not is_placeholder(text)


def test_a_plain_sentence_loads_no_pattern_library() -> None:
    """I5: a reason is redacted on the way to a pause, and the library takes 0.1 s to load."""
    program = (
        "import sys; from ledger.configuration.secrets import redact_text;"
        "said = 'spread too wide, token USDC: pausing'; assert redact_text(said) == said;"
        "assert redact_text('to sha256:" + HEX + " again');"
        "heavy = {'detect_secrets', 'yaml', 'requests'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize(
    "text",
    [
        "eyJ" * 60_000,
        "a" * 200_000 + "/://",
        "sk-" * 60_000,
        "a://:" * 40_000,
        "password=" * 20_000,
        "0x" * 100_000,
        "-----BEGIN PRIVATE KEY-----" * 5_000,
        "seed " * 40_000,
        " " * 200_000 + "a:",
    ],
    ids=lambda text: text[:9],
)
def test_hostile_text_takes_no_quadratic_time(text: str) -> None:
    """200 KB that suit a pattern badly: at the square of their length this would take minutes."""
    started = time.process_time()
    _ = find(text)
    assert time.process_time() - started < 3
