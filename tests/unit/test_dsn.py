"""I6: the secret in a DSN is never shown, however the DSN is written or miswritten."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, quote_plus

import psycopg
import pytest
from hypothesis import given, strategies as st
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ledger.domain.errors import BadInput, UsageError
from ledger.store.dsn import (
    HIDDEN,
    UNREADABLE,
    dsn_from_option,
    quote_value,
    redact,
    reject_password_on_command_line,
    scrub,
)

SECRET = "hunter2"
PASSWORDS = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=4, max_size=20
).filter(lambda text: text not in "postgresql://user:host=db.example dbname=ledger password=***")

WITH_SECRET = [
    f"postgresql://app:{SECRET}@db.example:5433/ledger",
    f"postgres://app:{SECRET}@db.example/ledger?sslmode=require",
    f"postgresql://app@db.example/ledger?password={SECRET}",
    f"postgresql://db.example/ledger?user=app&sslpassword={SECRET}&sslmode=require",
    f"postgresql://app:{SECRET}@one.example:1,two.example:2/ledger",
    f"postgresql://app:{SECRET}@[::1]:5433/ledger",
    f"postgresql:///ledger?host=/run/postgresql&password={SECRET}",
    f"host=db.example user=app password={SECRET} dbname=ledger",
    f"host = db.example password = '{SECRET}'",
    f"password='{SECRET} with spaces and \\' quote' host=db.example",
    f"sslpassword={SECRET} host=db.example",
]

MISWRITTEN = [
    f"postgresql://app:p@{SECRET}@db.example/ledger",
    f"postgresql://app:p/{SECRET}@db.example/ledger",
    f"postgresql://app:7/{SECRET}@db.example/ledger",
    f"postgresql://app:7/{SECRET}@db.example/ledger?sslmode=require",
    f"postgresql://app:%{SECRET}@db.example/ledger",
    f"postgresql+psycopg://app:{SECRET}@db.example/ledger",
    f"mysql://app:{SECRET}@db.example/ledger",
    f"host=db.example pasword={SECRET}",
    f"host=db.example password='{SECRET}",
    f"host=db.example password={SECRET}\0",
    f"dbname=postgresql://app:{SECRET}@db.example/ledger",
    SECRET,
    f"postgresql://app:{SECRET}@db.example/ledger?nonsense=1",
    "",
    "   ",
]


@pytest.mark.parametrize("dsn", WITH_SECRET)
def test_the_secret_is_hidden_and_the_rest_is_shown(dsn: str) -> None:
    """What is left says where the ledger is."""
    shown = redact(dsn)
    assert SECRET not in shown
    assert HIDDEN in shown
    assert "with spaces" not in shown
    assert ("host=db.example" in shown) == ("@db.example" in dsn or "db.example" in dsn)


@pytest.mark.parametrize("dsn", MISWRITTEN)
def test_a_miswritten_dsn_is_not_shown_at_all(dsn: str) -> None:
    """libpq would take half of such a password for a host's name."""
    assert redact(dsn) == UNREADABLE
    assert scrub(f"could not translate host name: {dsn}", dsn) == UNREADABLE
    with pytest.raises(BadInput) as raised:
        reject_password_on_command_line(dsn)
    assert SECRET not in raised.value.message + (raised.value.hint or "")
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


@pytest.mark.parametrize("dsn", WITH_SECRET)
def test_an_error_that_quotes_the_dsn_is_scrubbed(dsn: str) -> None:
    """Drivers and servers put what they were given into their messages."""
    password = next(
        value for key, value in conninfo_to_dict(dsn).items() if key.endswith("password")
    )
    text = f"connection failed: {dsn!s}; tried {password!r}, {quote(str(password))}, {password}"
    scrubbed = scrub(text, dsn)
    assert SECRET not in scrubbed
    assert scrubbed.startswith("connection failed: ")


@given(PASSWORDS)
def test_no_password_gets_through(password: str) -> None:
    """In every spelling: as it is, percent-encoded, quoted, as Python writes it."""
    for dsn in (
        f"postgresql://app:{quote(password, safe='')}@db.example/ledger",
        f"postgresql://db.example/ledger?password={quote(password, safe='')}",
        make_conninfo(host="db.example", password=password),
    ):
        assert conninfo_to_dict(dsn)["password"] == password
        assert redact(dsn).replace(HIDDEN, "").count(password) == 0
        text = f"[{dsn}] [{password}] [{quote(password, safe='')}] [{quote_plus(password)}]"
        left = scrub(text + f" [{password!r}]", dsn).replace(HIDDEN, "")
        assert password not in left
        assert quote(password, safe="") not in left


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")))
def test_a_quoted_value_is_read_back_as_it_was(value: str) -> None:
    """Paths of homes hold spaces, quotes and backslashes."""
    assert conninfo_to_dict(f"host={quote_value(value)} dbname=x").get("host", "") == value


@given(st.text(max_size=60))
def test_showing_never_fails(text: str) -> None:
    """An error about a DSN must not die of the DSN."""
    assert isinstance(redact(text), str)
    assert isinstance(scrub("text", text), str)


def test_a_dsn_without_a_secret_is_shown_whole() -> None:
    """The embedded server's, say."""
    assert redact("host='/a b' port=5432 dbname=ledger user=postgres") == (
        "user=postgres dbname=ledger host='/a b' port=5432"
    )
    assert redact("postgresql://") == ""


@pytest.mark.parametrize("dsn", WITH_SECRET)
def test_a_password_on_the_command_line_is_refused(dsn: str) -> None:
    """`ps` and the shell's history show it; the refusal names the ways that don't."""
    with pytest.raises(UsageError) as raised:
        reject_password_on_command_line(dsn)
    told = raised.value.message + (raised.value.hint or "")
    assert SECRET not in told
    for way in ("ROLLOUT_DSN", "@FILE", ".pgpass"):
        assert way in told
    assert dsn_from_option("postgresql://app@db.example/ledger")


def test_a_dsn_file_may_hold_a_password(tmp_path: Path) -> None:
    """``--dsn @FILE``: the argument shows a path, and nothing else."""
    file = tmp_path / "dsn"
    file.write_text(WITH_SECRET[0] + "\n")
    assert dsn_from_option(f"@{file}") == WITH_SECRET[0]


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"", MISWRITTEN[0].encode()])
def test_a_dsn_file_that_holds_none_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """One sentence; nothing of the content."""
    file = tmp_path / "dsn"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadInput) as raised:
        dsn_from_option(f"@{file}")
    assert SECRET not in raised.value.message


def test_what_the_driver_says_of_a_refused_connection_is_clean(tmp_path: Path) -> None:
    """The real driver's real message, for a server that isn't there."""
    dsn = f"postgresql://app:{SECRET}@localhost:1/ledger?host={tmp_path}"
    with pytest.raises(psycopg.OperationalError) as raised:
        psycopg.connect(dsn)
    assert SECRET not in scrub(str(raised.value), dsn)
    assert str(tmp_path) in scrub(str(raised.value), dsn)
