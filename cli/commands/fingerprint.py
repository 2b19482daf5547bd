"""rollout fingerprint: what a bot logs at its start."""

from __future__ import annotations

from pathlib import Path

import click

from cli.call import Call, command
from ledger.configuration.snapshot import snapshot_of_files
from ledger.configuration.source import read_bytes


@command("fingerprint")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def fingerprint(call: Call, files: tuple[Path, ...]) -> None:
    """Print the fingerprint of the configuration that FILES make. Needs no ledger.

    A configuration that holds secrets needs the key of the ledger's secrets: secret.key in the home, or
    ROLLOUT_SECRET_KEY.

    Example:
      rollout fingerprint config.yaml profiles/live.yaml
    """
    contents = [(str(path), read_bytes(path)) for path in files]
    snapshot = snapshot_of_files(contents, home=call.runtime.settings.home, create_key=False)
    call.output.record(
        {
            "fingerprint": snapshot.fingerprint,
            "rules": snapshot.rules,
            "secrets": [path for file in snapshot.files for path in file.secrets],
        },
        snapshot.fingerprint,
    )
