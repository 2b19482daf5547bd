"""Configuration files in place: a snapshot's bytes at the paths where the system reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ledger import files as durable
from ledger.actuators.recording import compare, insist_on_known
from ledger.domain.errors import IntegrityFailure
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
        insist_on_known(files, self._targets)
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
