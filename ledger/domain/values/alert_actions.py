"""What a rule may do about an alert that fires. Whatever it does only ever reduces exposure (I9)."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

Acting: TypeAlias = Literal["pause", "mitigate", "rollback"]
"""More than to tell: an incident is opened, and a phase's kill criteria have one of these."""
ActionName: TypeAlias = Literal["notify", "record", Acting]

ACTIONS: Final[tuple[ActionName, ...]] = get_args(ActionName)
ACTING: Final[frozenset[str]] = frozenset(get_args(Acting))
STOPPING: Final[frozenset[str]] = frozenset({"pause", "rollback"})
"""What ends the harm rather than softens it: tried again where it failed, critical if it can't be done, and
followed by a pause where the alert fires on. Another action is done once, for what it is."""
