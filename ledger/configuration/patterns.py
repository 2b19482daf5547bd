"""Secrets known by their look: what an exchange, a chain, a chat or a cloud gives out.

The library's patterns are used without its guesses by entropy and by key name: a guess that is
wrong makes a rollback ask for a "secret" that is none. Its import takes 0.1 s, so a plain sentence
must never get that far: cheap conditions stand before it, and before our own expressions too, which
are compiled when first needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Final, TypeAlias

from ledger.configuration.names import Hint, hint_of

Span: TypeAlias = tuple[int, int]

# Prefixes of what the library's patterns find; those without one are spelled out.
_LIBRARY_GATE: Final = (
    r"A3T|ABIA|ACCA|AKIA|ASIA|[Aa][Ww][Ss]|AccountKey=|cloudant|[MNO][\w-]{23,25}\.|gh[opusr]_|"
    r"gl[a-z]{2,5}-|GR1348941|[0-9a-z]{32}-us\d|pypi-AgE|SG\.|"
    r"[Xx][Oo][Xx]|sq0csp-|k_live_|(?:AC|SK)[a-z0-9]{32}|softlayer"
)
_LONG_RUN: Final = r"[A-Za-z0-9_-]{20}"

# Left out: Artifactory's pattern fits ticker symbols such as APEUSDTPERP. Telegram's fits a number with a
# digest behind it. Of private keys the library finds the header only. Those for JWT, npm, OpenAI and URLs
# take quadratic time on hostile input. Our own, below, don't.
_PLUGINS: Final = (
    "aws.AWSKeyDetector",
    "azure_storage_key.AzureStorageKeyDetector",
    "cloudant.CloudantDetector",
    "discord.DiscordBotTokenDetector",
    "github_token.GitHubTokenDetector",
    "gitlab_token.GitLabTokenDetector",
    "mailchimp.MailchimpDetector",
    "pypi_token.PypiTokenDetector",
    "sendgrid.SendGridDetector",
    "slack.SlackDetector",
    "softlayer.SoftlayerDetector",
    "square_oauth.SquareOAuthDetector",
    "stripe.StripeDetector",
    "twilio.TwilioKeyDetector",
)

_OWN_GATE: Final = (
    r"://|[?&]\w+=|(?i:basic|bearer)\s|eyJ|sk-|_authToken|\d{8}:|\.(?:com|io|pro|cn)/"
)

# Group 1 is the secret.
_OWN: Final = (
    # A password in a URL, up to the last @ before the path. One with a slash in it is against the
    # rules and happens; a port before an @ in the path is none.
    r"(?<![\w+.-])[A-Za-z][\w+.-]{0,30}://[^\s:/?#@\"']*:([^\s/?#\"',]+(?=@)|(?!\d+[/?#])[^\s@\"',]{1,200})@",
    # API keys in the paths and queries of RPC nodes and webhooks.
    r"(?:alchemy\.com|alchemyapi\.io)/v2/([\w-]{20,})",
    r"infura\.io/(?:ws/)?v3/([0-9a-f]{32})",
    r"quiknode\.pro/([0-9a-f]{32,})",
    r"ankr\.com/\w+/([0-9a-f]{32,})",
    r"discord(?:app)?\.com/api/webhooks/\d+/([\w-]+)",
    r"hooks\.slack\.com/(?:services|workflows)/([\w/-]+)",
    r"open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/v2/hook/([\w-]+)",
    r"[?&](?:api_?key|access_?(?:key|token)|token|secret|key|sig|signature|password)=([^&\s#\"'<>{}$]{8,})",
    r"\b(?i:Bearer|Basic)\s+((?=[A-Za-z._~+/-]*\d)[A-Za-z0-9._~+/-]{16,}=*)",
    r"(?<![A-Za-z0-9_-])(eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?)",
    r"(?<![A-Za-z0-9_-])(sk-(?:[a-z]{2,8}-)?[A-Za-z0-9_-]{32,})",
    r"(?<![A-Za-z0-9_-])(?:bot)?(\d{8,10}:[A-Za-z0-9_-]{35})(?![A-Za-z0-9_-])",
    r"_authToken=\s*([^\s\"']{16,})",
)
_DIGEST: Final = r"(?:secret:)?hmac-sha256:[0-9a-f]{8}:[0-9a-f]{64}"
_EVM_KEY: Final = r"(?<![0-9A-Za-z])(0[xX][0-9a-fA-F]{64})(?![0-9A-Za-z])"
_PUBLIC_BEFORE: Final = (
    r"(?:hash|(?:\b|_)ids?|condition|question|topic|txn?|transaction|block|market|slot|root|address)"
    r"[\"'\])]?\s*[=:/#(]?\s*[\"'(]?$"
)
_PEM: Final = (
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[\s\S]*?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|[\s\S]*)"
    r"|PuTTY-User-Key-File-\d[\s\S]*"
)
# The value is looked at and not taken, as it may be the next name: "note: password: ...". Bounded,
# because each look may go to the end of a long line.
_ASSIGNED: Final = (
    r"""(?:(?<![\w.-])|(?<=--))([^\W\d][\w.-]{0,79})["']?\]?\s{0,4}"""
    r"""(?:[=:]|(?<=\s))\s{0,4}["']?(?=([^\s"',;<>{}]{4,128}))"""
)
_ASSIGNED_END: Final = r"""[\s"',;<>{}]"""
_QUERY_END: Final = r"""[&#\s"',;<>{}]"""
_MNEMONIC: Final = r"[a-z]{3,8}(?: [a-z]{3,8}){11}(?:(?: [a-z]{3,8}){3}){0,4}"
_MNEMONIC_NAMED: Final = rf"(?i:mnemonic|seed|phrase)\W{{1,4}}({_MNEMONIC})\b"

_PLACEHOLDER: Final = (
    r"(?:(?:Bearer|Basic|Token)\s+)?"
    r"(?:\$\{[A-Za-z_]\w*(?::?[-?])?\}|\$[A-Z_][A-Z0-9_]*|\$\(.*\)|%\(\w+\)s|%[A-Z_]\w*%|\{\{.*\}\}"
    r"|env:\w+|ENV\[.*\]|env\(.*\)|os\.environ\S*|getenv\(.*\)|<[^<>]*>|\*+|[xX]{3,}|\.{3,}|-+|ENC\[.*\]"
    r"|(?i:your[-_ ].*|replace[-_ ]?me|todo|none|null|n/a|true|false|yes|no)"
    r"|(?:vault|file|op|secret:hmac-sha256|aws-sm|gcp-sm|ssm|arn|secretsmanager|keyring|keychain):\S*)"
)
_ADDRESS: Final = r"0[xX][0-9a-fA-F]{40}"
_RANDOM: Final = (
    r"(?:0[xX])?[0-9a-fA-F]{32,}"
    r"|(?=[^\s]*[a-z])(?=[^\s]*[A-Z])(?=(?:[^\s\d]*\d){2})[A-Za-z0-9+/_=-]{20,}"
    r"|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
)
# No slash: a path is not generated.
_GENERATED_WORD: Final = (
    r"(?<![\w/.+=-])(?=[\w+=-]*[a-z])(?=[\w+=-]*[A-Z])(?=(?:[A-Za-z+=_-]*\d){2})"
    r"[\w+=-]{20,}(?![\w/]|\.\w)"
)
_NOT_LIKELY: Final = (
    r"[A-Z0-9./_-]{1,12}|[a-z][a-z_ -]{0,15}|0[xX][0-9a-fA-F]{40}|/\S*|\d{1,3}"
    r"|(?i:bearer|basic|digest|token)"
)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def fits(pattern: str, text: str) -> bool:
    """Tell whether the whole text fits the pattern (one of this module's)."""
    return _compiled(pattern).fullmatch(text) is not None


def is_placeholder(text: str) -> bool:
    """Tell whether a text only says where the secret is: ``${NAME}``, ``env:NAME``, ``<your key>``."""
    text = text.strip()
    return not text or fits(_PLACEHOLDER, text)


def looks_random(text: str) -> bool:
    """Tell whether a text looks generated, and is no chain address: what ``key:`` may hold."""
    return fits(_RANDOM, text) and not fits(_ADDRESS, text)


def looks_like_wallet(text: str) -> bool:
    """Tell whether a text is a private key or a mnemonic, in a place that may also hold addresses."""
    return fits(rf"(?:0[xX])?[0-9a-fA-F]{{64}}|[1-9A-HJ-NP-Za-km-z]{{87,88}}|{_MNEMONIC}", text)


def looks_like_mnemonic(text: str) -> bool:
    """Tell whether a text is 12, 15, 18, 21 or 24 short words in lower case."""
    return fits(_MNEMONIC, text)


def is_likely(text: str) -> bool:
    """Tell whether the value of ``token:`` or ``auth:`` is a secret: no ticker, address, word or path."""
    return not fits(_NOT_LIKELY, text)


def is_distinctive(text: str) -> bool:
    """Tell whether a secret is unlike any ordinary word, so that finding it elsewhere is no accident."""
    if len(text) >= 16:
        return True
    kinds = (str.islower, str.isupper, str.isdigit, _is_punctuation)
    return len(text) >= 6 and sum(any(kind(c) for c in text) for kind in kinds) >= 2


def _is_punctuation(character: str) -> bool:
    return not character.isalnum()


def find(text: str, *, public_name: bool = False) -> list[Span]:
    """Return the spans of secrets in a value or in free text (a comment, a reason, a note).

    ``public_name`` says that the key announces a hash or an identifier, which has the shape of an
    EVM private key. Spans may overlap.
    """
    if len(text) < 8:
        return []
    spans = list(_structured(text))
    if not public_name and ("0x" in text or "0X" in text):
        spans += [m.span(1) for m in _compiled(_EVM_KEY).finditer(text) if not _is_public(m)]
    if "=" in text or ":" in text or "--" in text:
        spans += _assigned(text)
    lowered = text.lower()
    if "mnemonic" in lowered or "seed" in lowered or "phrase" in lowered:
        spans += [match.span(1) for match in _compiled(_MNEMONIC_NAMED).finditer(text)]
    return outside_digests(text, spans)


def outside_digests(text: str, spans: list[Span]) -> list[Span]:
    """Return the spans that don't begin in a digest: what was redacted once stays as it is."""
    if not spans or "hmac-sha256:" not in text:
        return spans
    digests = [match.span() for match in _compiled(_DIGEST).finditer(text)]
    return [span for span in spans if not any(a <= span[0] < b for a, b in digests)]


def generated_words(text: str) -> list[Span]:
    """Return the spans of words of 20 characters and more that mix cases and digits, as generated keys do."""
    if len(text) < 20:
        return []
    return [match.span() for match in _compiled(_GENERATED_WORD).finditer(text)]


def _structured(text: str) -> Iterator[Span]:
    if "PRIVATE KEY" in text or "PuTTY" in text:
        yield from (match.span() for match in _compiled(_PEM).finditer(text))
    if _compiled(_OWN_GATE).search(text):
        for pattern in _OWN:
            for match in _compiled(pattern).finditer(text):
                if not is_placeholder(match.group(1)):
                    yield match.span(1)
    if (
        len(text) >= 20
        and _compiled(_LONG_RUN).search(text)
        and _compiled(_LIBRARY_GATE).search(text)
    ):
        for pattern in _library_patterns():
            yield from map(_secret_span, pattern.finditer(text))


def _assigned(text: str) -> Iterator[Span]:
    """Values given to secret names: ``API_SECRET=...``, ``password: ...``, ``--token ...``."""
    at = 0
    while match := _compiled(_ASSIGNED).search(text, at):
        name, value = match.groups()
        at = match.end()
        is_option = text.endswith("--", 0, match.start(1))
        if not is_option and not set(match.group(0)[len(name) :]) & {"=", ":"}:
            continue
        hint = hint_of(name)
        if hint is Hint.SECRET or (hint is Hint.LIKELY and is_likely(value)):
            wanted = is_distinctive(value)
        else:
            wanted = hint is Hint.KEY and looks_random(value)
        if wanted and not is_placeholder(value):
            in_query = text[match.start(1) - 1 : match.start(1)] in {"?", "&"}
            until = _compiled(_QUERY_END if in_query else _ASSIGNED_END)
            end = until.search(text, match.start(2))
            at = end.start() if end else len(text)
            yield match.start(2), at


def _is_public(match: re.Match[str]) -> bool:
    before = match.string[max(0, match.start() - 40) : match.start()]
    return _compiled(_PUBLIC_BEFORE).search(before.lower()) is not None


def _secret_span(match: re.Match[str]) -> Span:
    """Return a group of the pattern if that is the secret; some groups are only a prefix of it."""
    for number in range(1, (match.re.groups or 0) + 1):
        if match.group(number) and len(match.group(number)) >= 16:
            return match.span(number)
    return match.span()


@cache
def _library_patterns() -> tuple[re.Pattern[str], ...]:
    patterns: list[re.Pattern[str]] = []
    for name in _PLUGINS:
        module, _, plugin = name.partition(".")
        patterns += getattr(import_module(f"detect_secrets.plugins.{module}"), plugin)().denylist
    return tuple(patterns)
