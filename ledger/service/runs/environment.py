"""What a program finds in its environment: what the ledger says of the run, and what its configuration says.

A variable that somebody has set is theirs: it stays, or the run is refused where the configuration in force
says something else. A program that was started already has the environment that it was started with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ledger.domain.errors import BadInput
from ledger.domain.state import SystemState
from ledger.service.core.actuators import World, world_of
from ledger.service.core.session import Ledger

THEIRS: Final = ("RUN_TAG", "PROFILE_NAME")
"""What scripts set for themselves: a value that is there stays."""


def told_of_run(told: Mapping[str, str | None], state: SystemState) -> dict[str, str]:
    """Return what the ledger says of a run, as variables."""
    given = {
        "RUN_TAG": told["run_tag"],
        "CONFIG_FINGERPRINT": told["config_fingerprint"],
        "PROFILE_NAME": told["profile"],
        "EXEC_MODE": str(told["mode"]).partition("/")[0],
        "EXEC_CONTROL_FILE": state.actuators.control_file,
    }
    return {name: value for name, value in given.items() if value}


def of_configuration(ledger: Ledger, state: SystemState) -> dict[str, str]:
    """Return the variables that the configuration in force sets, as the plan says: a choice of files, a file.

    Raises:
        BadInput: the file of variables can't be read.
        LedgerUnreachable: nobody can tell; see `ledger.service.core.plan_in_force.plan_of`.
    """
    from ledger.service.configurations.comparison import names_in_force
    from ledger.service.core.plan_in_force import plan_of

    if state.profile is None:
        return {}
    plan = plan_of(ledger, state).profile
    found: dict[str, str] = {}
    in_force = names_in_force(state) or set()
    for variable, files in plan.choices.items():
        for choice, name in files.items():
            if name in in_force:
                found[variable] = choice
    if plan.variables is not None:
        world = world_of(state.actuators, ledger.recorder.clock)
        found |= _variables(world, plan.variables)
    return found


def _variables(world: World, name: str) -> dict[str, str]:
    """Return what the file of variables sets, as it lies in place: that is what runs."""
    from ledger.configuration.loader import parse
    from ledger.configuration.source import decode

    content = world.configs.read().get(name) if world.configs is not None else None
    if content is None:
        raise BadInput(
            f"The plan takes variables from {name}, and there is no such file of the system in place.",
            hint=f"rollout system add SYSTEM --config-file {name}=PATH, and put it in place",
        )
    value = parse(decode(name, content))
    if not isinstance(value, dict):
        raise BadInput(f"{name} has no variables.")
    return {key: text for key, text in value.items() if isinstance(text, str)}


def whole(
    environ: Mapping[str, str], told: Mapping[str, str], configured: Mapping[str, str]
) -> dict[str, str]:
    """Return a program's environment: what is there, what the ledger says, what its configuration says."""
    ours = {
        name: value for name, value in told.items() if name not in THEIRS or not environ.get(name)
    }
    return {**environ, **ours, **configured}
