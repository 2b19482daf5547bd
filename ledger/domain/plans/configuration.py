"""What a phase asks of the configuration: its overlay as it stands there, and nothing above its limits."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Protocol

from ledger.domain.errors import DriftFound, GateClosed
from ledger.domain.state import SystemState
from ledger.domain.values.fingerprints import Plain, leaf_text


class Asking(Protocol):
    """A phase, as far as it says something of the configuration."""

    @property
    def name(self) -> str:
        """Of the phase."""
        ...

    @property
    def exposure(self) -> Mapping[str, Plain]:
        """A number is the most that the key may say; anything else has to stand there as it is."""
        ...

    @property
    def overlay(self) -> Mapping[str, Plain]:
        """What has to stand there as it is."""
        ...


def breaches(
    phase: Asking, said: Mapping[str, str], texts: Collection[str] = frozenset()
) -> list[str]:
    """Return, as sentences, where a configuration says something else than a phase allows.

    ``said`` is what it says, flat: key -> canonical JSON text. A key that is not there can't be told to be
    within its limit (I8). ``texts`` are the keys of files that have nothing but texts (``.env``): 5 is "5"
    there.
    """
    sentences = [
        f"{key} is {said.get(key, 'not set')}, and this phase has {leaf_text(wanted)}"
        for key, wanted in phase.overlay.items()
        if not says(said.get(key), wanted, is_text=key in texts)
    ]
    for key, most in phase.exposure.items():
        value = _number(said.get(key))
        if isinstance(most, int | float) and not isinstance(most, bool):
            if value is None:
                sentences.append(
                    f"{key} is {said.get(key, 'not set')}, and has to be at most {most}"
                )
            elif value > most:
                sentences.append(f"{key} is {said[key]}, more than the {most} of this phase")
        elif not says(said.get(key), most, is_text=key in texts):
            sentences.append(
                f"{key} is {said.get(key, 'not set')}, and this phase has {leaf_text(most)}"
            )
    return sentences


def is_laid_over(phase: Asking, said: Mapping[str, str], texts: Collection[str]) -> bool:
    """Tell whether a configuration says all of a phase's overlay already; see `breaches`."""
    return all(
        says(said.get(key), wanted, is_text=key in texts) for key, wanted in phase.overlay.items()
    )


def says(said: str | None, wanted: Plain, *, is_text: bool) -> bool:
    """Tell whether a key that says ``said`` (canonical JSON text) says what is wanted.

    Where it can only say a text, 5 is said by "5".
    """
    if said == leaf_text(wanted):
        return True
    plain = wanted is not None and not isinstance(wanted, str)
    return is_text and plain and said == leaf_text(leaf_text(wanted))


def require_allowed(
    system: str, phase: Asking, said: Mapping[str, str], texts: Collection[str] = frozenset()
) -> None:
    """Raise unless a phase allows the configuration; see `breaches`.

    Raises:
        GateClosed: it says something else.
    """
    problems = breaches(phase, said, texts)
    if problems:
        raise GateClosed(
            f"The configuration is not that of {phase.name}: {'; '.join(problems)}.",
            hint=f"rollout config put {system} FILE…, then rollout config apply {system} FINGERPRINT",
        )


def in_force_for(state: SystemState, phase: Asking | None) -> str | None:
    """Return the fingerprint in force that a phase has to allow; None: it asks nothing of it.

    Raises:
        GateClosed: it has limits, and nothing is in force.
    """
    if phase is None or not (phase.exposure or phase.overlay):
        return None
    if state.fingerprint is None:
        raise GateClosed(
            f"{phase.name} has limits, and {state.system} has no configuration in force.",
            hint=f"rollout config put {state.system} FILE… --in-force",
        )
    return state.fingerprint


def require_as_recorded(state: SystemState, phase: Asking, in_place: str | None) -> None:
    """Raise unless the files in place are what is in force: nobody can tell what else an overlay lies over.

    Raises:
        DriftFound: they were changed by hand.
    """
    if in_place is None or in_place != state.fingerprint:
        raise DriftFound(
            f"{phase.name} sets keys of the configuration, and the files of {state.system} were changed by "
            "hand.",
            hint=f"rollout drift {state.system} shows how: keep it or put it back first",
        )


def _number(text: str | None) -> float | None:
    """Return a number that a configuration says, be it in quotes (bots write decimals so) or not."""
    try:
        said = float(str(text).strip('"')) if text is not None else math.nan
    except ValueError:
        return None
    return None if math.isnan(said) else said
