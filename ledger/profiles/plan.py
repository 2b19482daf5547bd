"""A plan as it is adopted: the profile and its rule files in one canonical document with a fingerprint.

The document is kept in the ledger, so that what watches and judges goes by what was adopted, not by
what lies on a disk by now.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from ledger.alerts.promql import compile_expression
from ledger.alerts.rules import RuleFile, load_rules, rule_identity, tell_apart
from ledger.alerts.window_verdict import LOOKS_MAX
from ledger.configuration.loader import parse
from ledger.configuration.source import Source, decode, read_bytes
from ledger.configuration.strict import fit, place_of, read_model
from ledger.domain.errors import BadInput, IntegrityFailure
from ledger.domain.values.fingerprints import Change, Value, canonical, diff, fingerprint_of
from ledger.domain.values.spelling import did_you_mean
from ledger.preflight.params import check_placeholders
from ledger.profiles.model import Profile


@dataclass(frozen=True)
class Plan:
    """One rollout plan. ``content`` is its RFC 8785 form; the SHA-256 of that is its fingerprint."""

    profile: Profile
    content: bytes
    source: str = ""
    written: tuple[Source, ...] = field(default=(), repr=False, compare=False)
    """The files as they were read, once: the profile first. Empty for a plan out of the ledger."""

    @property
    def fingerprint(self) -> str:
        """Return ``sha256:`` and 64 digits."""
        return fingerprint_of(self.content)

    @cached_property
    def rule_files(self) -> tuple[RuleFile, ...]:
        """The rule files, parsed."""
        texts: dict[str, str] = orjson.loads(self.content)["rules"]
        adopted = not self.written
        files = [load_rules(t.encode(), name, adopted=adopted) for name, t in texts.items()]
        apart = iter(tell_apart(rule for file in files for rule in file.rules))
        return tuple(replace(file, rules=tuple(next(apart) for _ in file.rules)) for file in files)

    def changes_since(self, previous: Plan | None) -> tuple[Change, ...]:
        """Return what differs from ``previous``, by key path."""
        if previous is None:
            return ()
        return tuple(diff(orjson.loads(previous.content), orjson.loads(self.content)))


def load(path: Path) -> Plan:
    """Read a profile and the rule files that it names, which lie beside it.

    Raises:
        BadInput: one of them can't be read, does not fit, or names what is not there: file, line and key.
    """
    content = read_bytes(path)
    source = decode(path.name, content)
    value = parse(source)
    profile = fit(source, value, Profile)
    for index, check in enumerate(profile.checks):
        where = place_of(source, ("checks", index))
        check_placeholders(check, profile.params, f"{where}: ")
    _check_expressions(source, profile)
    _check_looks(source, profile)
    rules = {
        name: _rule_file(path, name, place_of(source, ("rules", index)))
        for index, name in enumerate(profile.rules)
    }
    texts: dict[str, Value] = {name: file.text for name, file in rules.items()}
    content = canonical({"profile": value, "rules": texts})
    plan = Plan(profile, content, str(path), (source, *rules.values()))
    _check_rules(plan, path)
    return plan


def _check_expressions(source: Source, profile: Profile) -> None:
    """Raise unless what the phases measure can be evaluated: it is found out now, not at three."""
    for index, phase in enumerate(profile.phases):
        for part, criteria in (("success", phase.success), ("kill", phase.kill)):
            for number, one in enumerate(criteria):
                if one.expr is not None:
                    where = place_of(source, ("phases", index, part, number, "expr"))
                    compile_expression(one.expr, f"{where}, {phase.name}/{one.name}")


def _check_looks(source: Source, profile: Profile) -> None:
    """Raise unless each gate looks at all of its window."""
    for index, phase in enumerate(profile.phases):
        for number, one in enumerate(phase.success):
            looks = int((one.over or phase.min_duration) / one.every) + 1
            if one.expr is not None and looks > LOOKS_MAX:
                raise BadInput(
                    f"{place_of(source, ('phases', index, 'success', number))}: {phase.name}/{one.name} "
                    f"would be looked at {looks:,} times, and {LOOKS_MAX:,} is the most.",
                    hint="Look less often: make every longer, or over shorter.",
                )


def _rule_file(path: Path, name: str, where: str) -> Source:
    place = path.parent / name
    if not place.is_relative_to(path.parent) or ".." in Path(name).parts:
        raise BadInput(
            f"{where}: rules: {name!r} lies outside the profile's folder.",
            hint="Keep rule files beside the profile.",
        )
    if not place.is_file():
        beside = (file.relative_to(path.parent).as_posix() for file in place.parent.glob("*.y*ml"))
        raise BadInput(
            f"{where}: rules: there is no file {name!r} beside the profile.",
            hint=did_you_mean(name, beside) or "Correct the path.",
        )
    return decode(place.name, read_bytes(place))


def _check_rules(plan: Plan, path: Path) -> None:
    """Raise unless what the rules name is in the profile: mitigations, phases and channels."""
    channels = {channel.name for channel in plan.profile.notify}
    phases = [phase.name for phase in plan.profile.phases]
    seen: dict[object, str] = {}
    for file in plan.rule_files:
        for rule in file.rules:
            other = seen.setdefault(rule_identity(rule), file.name)
            if other != file.name:
                raise BadInput(
                    f"{other} and {file.name} both have a rule {rule.name} with the same labels.",
                    hint="The labels tell alerts apart: give one of them another label, or another name.",
                )
            for axis, value in rule.applies_in:
                if axis == "phase" and value not in phases:
                    raise BadInput(
                        f"{file.name}: {rule.name} applies in the phase {value!r}, which {path.name} "
                        "does not have, so it would never fire.",
                        hint="It has: " + (", ".join(phases) or "none"),
                    )
            mitigation = rule.action.mitigation
            if mitigation is not None and mitigation not in plan.profile.mitigations:
                raise BadInput(
                    f"{file.name}: {rule.name} asks for the mitigation {mitigation!r}, which {path.name} "
                    "does not have.",
                    hint="It has: " + (", ".join(plan.profile.mitigations) or "none"),
                )
            for channel in set(rule.notify) - channels:
                raise BadInput(
                    f"{file.name}: {rule.name} notifies {channel!r}, which {path.name} does not have.",
                    hint="It has: " + (", ".join(sorted(channels)) or "none"),
                )


def from_content(content: bytes, name: str = "the plan in the ledger") -> Plan:
    """Return the plan whose canonical form is ``content``.

    Raises:
        IntegrityFailure: this version of the program can't read it.
    """
    document: dict[str, Any] = orjson.loads(content)
    try:
        profile = read_model(orjson.dumps(document["profile"]), "plan.json", Profile)
    except BadInput as problem:
        raise IntegrityFailure(
            f"{name} can't be read by this version: {problem.message}",
            hint="Adopt the plan's file again: rollout profile adopt SYSTEM FILE",
        ) from None
    return Plan(profile, content, name)
