"""What the gate says of a criterion, in the report's language; the log has it in English."""

from __future__ import annotations

import re
from typing import Final

from projections.reports.render import moment
from projections.reports.words import Words

# What `rollout gate eval` writes -> the key in the words' table ``canary.detail``.
_SAID: Final = tuple(
    (re.compile(pattern), key)
    for pattern, key in (
        (r"held at (?P<held>\d+) of (?P<looks>\d+) looks", "held"),
        (r"failed (?P<failed>\d+) of (?P<looks>\d+) looks, first at (?P<first>.+)", "failed"),
        (r"(?P<samples>\d+) of (?P<needed>\d+) samples", "few"),
        (r"nothing was recorded that it could be judged by", "unjudged"),
        (r"nothing could be told for (?P<span>.+)", "blind"),
        (r"nothing could be told of (?P<labels>{.+}) for (?P<span>.+)", "blind_of"),
        (
            r"only (?P<looks>\d+) of (?P<wanted>\d+) looks are made at most; look less often",
            "often",
        ),
        (r"open: (?P<alerts>.+)", "open"),
        (r"the last crash was at (?P<at>.+)", "last_crash"),
        (r"the last (?P<severity>\w+) alert was at (?P<at>.+)", "last_alert"),
        (r"no (?P<severity>\w+) alert", "no_alert"),
        (r"no crash", "no_crash"),
        (r"last crash: none", "none_crash"),
        (r"last (?P<severity>\w+) alert: none", "none_alert"),
        (r"last crash: (?P<at>.+)", "was_crash"),
        (r"last (?P<severity>\w+) alert: (?P<at>.+)", "was_alert"),
    )
)


def said(text: str, words: Words) -> str:
    """Return what the gate said in ``words``; as it is, where it is an expression or a number."""
    for pattern, key in _SAID:
        match = pattern.fullmatch(text)
        if match is not None:
            return words(f"canary.detail.{key}", **{
                name: _shown(name, part, words) for name, part in match.groupdict().items()
            })  # fmt: skip
    return text


def _shown(name: str, part: str, words: Words) -> str:
    if name == "severity":
        return words(f"severity.{part}")
    return moment(part) if name == "at" else part
