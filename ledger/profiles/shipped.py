"""The rollout plans that are shipped, with the rule files that they name: read them, copy them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ledger.domain.errors import BadInput, UnknownName
from ledger.domain.values.spelling import did_you_mean
from ledger.files import write_all_atomically

if TYPE_CHECKING:
    from ledger.profiles.plan import Plan

FOLDER: Final = Path(str(files("profiles")))
SCHEMA: Final = "profile.schema.json"
"""What an editor completes a plan by: the first line of each names it."""


def names() -> list[str]:
    """Return the names of the plans."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def plan(name: str) -> Plan:
    """Read a plan.

    Raises:
        UnknownName: none of that name is shipped.
    """
    from ledger.profiles.plan import load  # names are completed in the shell, at once

    if name not in names():
        hint = did_you_mean(name, names()) or f"They are: {', '.join(names())}"
        raise UnknownName(f"No plan {name!r} is shipped.", hint=hint)
    return load(FOLDER / f"{name}.yaml")


def copy(name: str, folder: Path) -> list[Path]:
    """Write a plan and its rule files into ``folder``, with the schema for editors; return what was written.

    Raises:
        UnknownName: no plan of that name is shipped.
        BadInput: one of the files is there already; nothing was written.
        FileNotWritten: there is no room, or no right, to write there.
    """
    wanted = {folder / each: FOLDER / each for each in (f"{name}.yaml", *plan(name).profile.rules)}
    for path in wanted:
        if path.exists():
            raise BadInput(
                f"{path} is there already, and stays as it is.",
                hint=f"Name another folder: rollout profile copy {name} FOLDER",
            )
    if not (folder / SCHEMA).exists():
        wanted[folder / SCHEMA] = FOLDER / SCHEMA
    contents = {path: shipped.read_bytes() for path, shipped in wanted.items()}
    write_all_atomically(contents, create_folder=True)
    return list(wanted)
