"""Old payloads as their newest version would have written them. Pure; applied on read, never stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Payload = dict[str, Any]


def _same(data: Payload) -> Payload:
    """Return a payload whose next version only has fields more, which may be absent."""
    return data


def _first_canonical_form(data: Payload) -> Payload:
    """Return a registration from before there was a second version of the canonical form."""
    return {**data, "canonical_form": 1}


UPCASTERS: Final[Mapping[tuple[str, int], Callable[[Payload], Payload]]] = {
    ("AlertFired", 1): _same,  # 2: the labels of the rule
    ("AlertPending", 1): _same,  # 2: the labels and the expression of the rule
    ("ConfigRegistered", 1): _first_canonical_form,  # 2: by which version of the canonical form
}
"""(type, version) -> the payload one version on."""


def newest_version(type_: str) -> int:
    """Return the newest version of a type that this program knows."""
    version = 1
    while (type_, version) in UPCASTERS:
        version += 1
    return version


def upcast(
    type_: str,
    version: int,
    data: Payload,
    upcasters: Mapping[tuple[str, int], Callable[[Payload], Payload]] = UPCASTERS,
) -> Payload:
    """Return ``data``, recorded at ``version`` of ``type_``, at the newest version there is."""
    while (step := upcasters.get((type_, version))) is not None:
        data = step(data)
        version += 1
    return data
