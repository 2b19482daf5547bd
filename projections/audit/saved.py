"""The questions that ship with the program: one file each, with a header that says what it is for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from ledger.domain.errors import BadInput, InvariantViolated, UnknownName
from ledger.domain.values.spelling import nearest
from projections.audit.ask import Parameters

_DEFAULT = " = "


@dataclass(frozen=True, slots=True)
class Parameter:
    """A ``$name`` in a saved question. Without a default it need not be given either: it is NULL then."""

    name: str
    meaning: str
    default: str | None
    required: bool


@dataclass(frozen=True, slots=True)
class Saved:
    """A question as it was saved."""

    id: str
    title: str
    why: str
    parameters: tuple[Parameter, ...]
    sql: str

    def filled(self, given: Parameters) -> dict[str, str | None]:
        """Return a value for every parameter.

        Raises:
            BadInput: one that has to be given isn't, or one is given that there isn't.
        """
        names = {parameter.name for parameter in self.parameters}
        unknown = sorted(given.keys() - names)
        if unknown:
            takes = ", ".join(sorted(names)) or "none"
            raise BadInput(
                f"The saved question {self.id} has no parameter {unknown[0]!r}.",
                hint=f"It takes: {takes}",
            )
        missing = [each for each in self.parameters if each.required and each.name not in given]
        if missing:
            raise BadInput(
                f"The saved question {self.id} needs the {missing[0].name}: {missing[0].meaning}.",
                hint=f"rollout sql --saved {self.id} --param {missing[0].name}=…",
            )
        return {each.name: given.get(each.name, each.default) for each in self.parameters}


def all_saved() -> list[Saved]:
    """Return every saved question, by id."""
    folder = files("projections.audit").joinpath("queries")
    entries = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return sorted(
        (_parsed(entry.name, entry.read_text(encoding="utf-8")) for entry in entries),
        key=lambda saved: saved.id,
    )


def saved(name: str) -> Saved:
    """Return the saved question ``name``.

    Raises:
        UnknownName: there is none of that name; the hint has the nearest.
    """
    by_id = {each.id: each for each in all_saved()}
    if name not in by_id:
        near = nearest(name, by_id)
        meant = f"Did you mean {near}? " if near else ""
        raise UnknownName(
            f"There is no saved question {name!r}.", hint=f"{meant}rollout sql --list shows all."
        )
    return by_id[name]


def _parsed(file_name: str, text: str) -> Saved:
    """Read a header of ``-- key: value`` lines; the rest is the SQL."""
    lines = text.splitlines()
    header = [line[2:].strip() for line in lines if line.startswith("-- ")]
    fields: dict[str, str] = {}
    parameters: list[Parameter] = []
    for line in header:
        key, _, value = line.partition(": ")
        if key.startswith("parameter "):
            parameters.append(_parameter(key.removeprefix("parameter "), value))
        else:
            fields[key] = value
    body = "\n".join(line for line in lines if not line.startswith("-- "))
    if fields.get("id") != file_name.removesuffix(".sql") or not {"title", "why"} <= fields.keys():
        raise InvariantViolated(f"The saved question {file_name} lacks its id, title or why.")
    return Saved(fields["id"], fields["title"], fields["why"], tuple(parameters), body.strip())


def _parameter(name: str, text: str) -> Parameter:
    """Read ``what it means``, ``what it means = default`` or ``what it means (required)``."""
    required = text.endswith("(required)")
    meaning, _, default = text.removesuffix("(required)").strip().partition(_DEFAULT)
    return Parameter(name, meaning, default or None, required)
