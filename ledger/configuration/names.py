"""Which names announce a secret. A name is cut into words first: ``apiKey``, ``API-KEY``, ``api_key``.

A missed name stores a secret; a name flagged in error makes a rollback ask for a value that is none.
So the table is kept by example: ``tests/unit/test_secret_names.py`` has both kinds.
"""

from __future__ import annotations

import enum
import re
from functools import lru_cache
from typing import Final


class Hint(enum.Enum):
    """What a name says about its value."""

    SECRET = "secret"  # noqa: S105 -- the name of a hint, not a secret
    """The value is a secret, whatever it looks like."""
    LIKELY = "likely"
    """It is one unless it looks like something else: ``token: USDC``, ``auth: basic``."""
    KEY = "key"
    """It is one if it looks random or like a mnemonic: ``key``, ``seed``, ``cookie``, ``wallet``."""
    HASH = "hash"
    """It is a public identifier, even if it has the shape of a private key: ``condition_id``."""
    PLAIN = "plain"
    """Nothing: only the value can tell."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SECRET_WORDS: Final = _words(
    "password passwords passwd passphrase passcode secret secrets mnemonic mnemonics credential "
    "credentials apikey apikeys apisecret secretkey privatekey privkey accesskey authkey authtoken "
    "accesstoken bottoken apitoken refreshtoken clientsecret seedphrase keypair keystorepass dbpass "
    "otp totp pincode"
)
_SECRET_ENDINGS: Final = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "apikey",
    "secretkey",
    "privatekey",
    "mnemonic",
    "accesstoken",
    "authtoken",
    "密码",
    "密钥",
    "私钥",
    "助记词",
    "口令",
)
_SECRET_PAIRS: Final = frozenset(
    {
        (first, "key")
        for first in (
            "api private priv secret access signing signer encryption decryption master account "
            "service auth session ssh wallet hmac deploy license client webhook admin agent db "
            "database shared trading trader deployer owner operator ws rpc infura alchemy etherscan"
        ).split()
    }
    | {
        (first, "token")
        for first in (
            "access auth bot api refresh bearer session csrf xsrf secret slack telegram tg discord "
            "github gitlab jwt oauth push security user app pushover influx influxdb notify line "
            "vault id verification webhook admin personal"
        ).split()
    }
    | {(first, "phrase") for first in "seed recovery secret backup mnemonic wallet pass".split()}
    | {(first, "words") for first in "seed recovery secret backup mnemonic".split()}
    | {("pin", "code"), ("pass", "word"), ("basic", "auth"), ("private", "pem")}
)
_LIKELY_LAST: Final = _words("token pass pwd pin auth authorization bearer jwt sk psk")
_KEY_WORDS: Final = _words(
    "key keys pk priv seed salt cookie cookies session sessions signature sig signer wallet wallets "
    "account accounts phrase words pem cert login api"
)
_WALLET_WORDS: Final = _words("wallet wallets account accounts signer")
_NOT_KEYS: Final = _words(
    "public pub primary foreign sort partition row cache routing idempotency dedup group hash range "
    "index hot translation i18n config setting lookup map dict field column order sorted redis"
)
_HARMLESS_AFTER: Final = _words(
    "address addresses addr symbol symbols id ids name names type types kind count limit limits ttl "
    "expiry expires expire expiration lifetime age length len size file filename path paths dir "
    "folder env var variable url uri urls endpoint host port enabled disabled enable disable "
    "required optional policy rotation interval second seconds sec secs ms minutes hours days "
    "timeout header headers field column prefix format algorithm algo alg version manager provider "
    "store backend decimals price amount balance list pair standard contract mode level budget "
    "bucket rate per cost usage window threshold ratio supply map index strength complexity "
    "attempts retries retry check checks validation scope scopes issuer audience source ref "
    "reference location label title description prompt position arn method scheme strategy max min "
    "tokens percent pct bps status state count total reset service"
)
_HASH_WORDS: Final = _words(
    "hash hashes id ids condition conditions topic topics tx txs txn txid transaction transactions "
    "block blocks root digest checksum checksums sha256 keccak fingerprint commit separator question "
    "market markets slot role roles selector pool pools event events merkle address addresses"
)
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


@lru_cache(maxsize=65_536)
def hint_of(name: str) -> Hint:
    """Return what a key's name says about its value."""
    words = words_of(name)
    if not words:
        return Hint.PLAIN
    last_secret = _last_secret(words)
    if last_secret >= 0 and not _HARMLESS_AFTER.intersection(words[last_secret + 1 :]):
        return Hint.SECRET
    if words[-1] in _LIKELY_LAST and not _NOT_KEYS.intersection(words):
        return Hint.LIKELY
    if _HASH_WORDS.intersection(words):
        return Hint.HASH
    if _KEY_WORDS.intersection(words) and not _NOT_KEYS.intersection(words):
        return Hint.KEY
    return Hint.PLAIN


def is_harmless(name: str) -> bool:
    """Tell whether a key below ``credentials:`` and the like says itself that it is none."""
    words = words_of(name)
    harmless = _HARMLESS_AFTER | {"user", "username", "region", "env", "environment", "database"}
    return bool(words) and words[-1] in harmless


def holds_wallets(name: str) -> bool:
    """Tell whether the name is about wallets, whose addresses look random too."""
    return bool(_WALLET_WORDS.intersection(words_of(name)))


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case, without the numbers at its end."""
    words = [word.lower() for word in _WORD.findall(name)]
    while words and words[-1].isdigit():
        _ = words.pop()
    return words


def _last_secret(words: list[str]) -> int:
    """Return the index of the last word that ends a secret's name, or -1."""
    for at in range(len(words) - 1, -1, -1):
        word = words[at]
        if word in _SECRET_WORDS or word.endswith(_SECRET_ENDINGS):
            return at
        singular = word.removesuffix("s") if word in {"keys", "tokens"} else word
        if at and (words[at - 1], singular) in _SECRET_PAIRS:
            return at
    return -1
