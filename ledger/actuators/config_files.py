"""Configuration files in place: a snapshot's bytes at the paths where the system reads them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from ledger import files as durable
from ledger.domain.errors import BadInput, IntegrityFailure
from ledger.domain.values.actuation import Written

CONFIG_FILE_BYTES_MAX: Final = 16 * 1024 * 1024
# Not for everybody: a configuration may hold the secrets that a rollback put back.
_NEW_FILE_MODE: Final = 0o640


class ConfigFiles:
    """Writes configuration files, and reads them back. See `ledger.ports.ConfigActuator`.

    Only the files that the system was registered with are ever written, whatever names a snapshot
    has; their folders must exist. All are on the disk before the first is replaced, so that a full
    disk changes nothing; after a crash between two of them, the same write again completes it.
    """

    def __init__(self, targets: Mapping[str, Path]) -> None:
        """Take the path of each file by its name in a snapshot."""
        self._targets: Final = dict(targets)

    def write(self, files: Mapping[str, bytes]) -> Written:
        """Put the files in place, and verify each by reading it back."""
        require_known(files, self._targets)
        written = compare(files, self._read(files))
        durable.write_all_atomically(
            {self._targets[name]: files[name] for name in written.replaced},
            new_file_mode=_NEW_FILE_MODE,
        )
        in_place = self._read(files)
        for name in files:
            if in_place.get(name) != files[name]:
                raise IntegrityFailure(
                    f"{self._targets[name]} does not hold what was just written to it",
                    hint="stop what writes to it, then repeat the command",
                )
        return written

    def read(self) -> dict[str, bytes]:
        """Return the files that are in place."""
        return self._read(self._targets)

    def _read(self, names: Mapping[str, object]) -> dict[str, bytes]:
        contents = {
            name: durable.read_bounded(self._targets[name], bytes_max=CONFIG_FILE_BYTES_MAX)
            for name in names
        }
        return {name: content for name, content in contents.items() if content is not None}


def require_known(files: Collection[str], names: Collection[str]) -> None:
    """Raise `BadInput` for a file that is not one of the system's."""
    unknown = sorted(set(files) - set(names))
    if unknown:
        raise BadInput(
            f"{', '.join(unknown)} is none of the system's configuration files",
            hint=f"its files are: {', '.join(sorted(names)) or 'none'}",
        )


def compare(wanted: Mapping[str, bytes], in_place: Mapping[str, bytes]) -> Written:
    """Tell the files whose bytes differ from what is in place from those that are right already."""
    return Written(
        replaced=tuple(name for name in wanted if in_place.get(name) != wanted[name]),
        unchanged=tuple(name for name in wanted if in_place.get(name) == wanted[name]),
    )
