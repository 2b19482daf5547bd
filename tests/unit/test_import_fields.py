"""The values of an imported record as texts: canonical, exact, without a secret."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import rfc8785
from hypothesis import example, given, strategies as st

from ledger.configuration.keys import SecretKey
from ledger.service.imports.fields import Inexact, field_texts, json_text
from tests.support.pasts import PRIVATE_KEY, SECRET

KEY = SecretKey(bytes(32))

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=60)
)
values = st.recursive(
    scalars,
    lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=12), v, max_size=4),
)


def keys() -> SecretKey:
    return KEY


@given(values)
@example({"\U0001f600": 1, "\ufb33": 2})
@example([1e-7, 1e21, 123456789012345680.0, -0.0, 5e-324, 0.1, 100.0])
def test_texts_are_canonical_json(value: Any) -> None:
    """I3: one value has one text, the RFC 8785 form."""
    assert json_text(value) == rfc8785.dumps(value).decode()


@given(
    st.dictionaries(
        st.sampled_from(["symbol", "price", "note", "order_id", "ts"]), values, max_size=4
    )
)
def test_the_quick_way_and_the_thorough_one_agree(record: dict[str, Any]) -> None:
    """I6: what is passed over by one look is what a full search leaves as it is."""
    thorough, _ = field_texts(record, keys, exact=True)
    try:
        quick, _ = field_texts(record, keys)
    except Inexact:
        return
    assert quick == thorough


@pytest.mark.parametrize(
    "secret",
    [
        SECRET,
        PRIVATE_KEY,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        "ghp_" + "a1B2" * 9,
        "AKIAIOSFODNN7EXAMPLE",
        "legal winner thank year wave sausage worth useful legal winner thank yellow",
    ],
)
@pytest.mark.parametrize(
    "place", ["{}", "order failed: api_secret={}", "mnemonic: {}", "key {}, retry"]
)
def test_secrets_do_not_get_into_the_texts(secret: str, place: str) -> None:
    """I6: under a name that announces one, within a sentence, nested."""
    text = place.format(secret)
    records: list[dict[str, Any]] = [
        {"api_secret": secret},
        {"meta": {"headers": [{"authorization_token": secret}]}},
        {"note": f"password: {SECRET}", "x": {"private_key": text}},
    ]
    if place == "order failed: api_secret={}" and " " not in secret:
        records.append({"error": text})
    for record in records:
        texts, held = field_texts(record, keys)
        assert held
        assert secret not in orjson.dumps(texts).decode()


@pytest.mark.parametrize("name", ["password", "api_key", "apiSecret", "auth_token", "passphrase"])
def test_a_short_secret_is_known_by_its_name_alone(name: str) -> None:
    """I6: it looks like any word, on the top level and below."""
    for record in (
        {name: "hunter2x"},
        {"meta": {name: "hunter2x"}},
        {"meta": [{name: "hunter2x"}]},
    ):
        texts, held = field_texts(record, keys)
        assert held
        assert "hunter2x" not in str(texts)


@pytest.mark.parametrize(
    "value",
    ["Bearer a1b2c3d4e5f6a1b2c3d4", "basic YWRtaW46aHVudGVyMjEyMzQ1", "--token abcd1234", "https://u:pw@h/",
     "token=abc123XYZ", "0x" + "ab" * 32, "x" * 20 + "1A"],
)  # fmt: skip
def test_what_may_hold_a_secret_gets_the_thorough_look(value: str) -> None:
    """I6: the quick way knows what it must not judge."""
    from ledger.service.imports import fields

    assert fields._plain_text(value) is None
    assert fields._plain_text({"deep": value}) is None


def test_large_numbers_keep_their_digits() -> None:
    """An amount in wei has more digits than a double."""
    with pytest.raises(Inexact):
        field_texts({"amount": 1e29}, keys)
    with pytest.raises(Inexact):
        field_texts({"note": "a: b: c=d", "deep": [{"amount": 1e29}]}, keys)
    amount = 123456789012345678901234567890
    texts, _ = field_texts({"amount": amount, "deep": [amount], "about": 1.5e29}, keys, exact=True)
    assert texts == {"amount": str(amount), "deep": f"[{amount}]", "about": "1.5e+29"}


def test_equal_secrets_have_equal_digests() -> None:
    """I6: that it is the same one can be seen, what it is can't."""
    one, _ = field_texts({"api_secret": SECRET}, keys)
    two, _ = field_texts({"api_secret": SECRET, "symbol": "x"}, keys)
    assert one["api_secret"] == two["api_secret"]
    assert one["api_secret"].startswith('"secret:hmac-sha256:')
