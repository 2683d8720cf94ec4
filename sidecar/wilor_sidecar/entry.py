"""The installed command's first step: a person who lacks a part of the installation is told so, not by a traceback."""

import sys
from typing import NoReturn

from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.cli.supervised import refused
from wilor_sidecar.installation import install_command

_OURS = ("wilor_sidecar", "wilor_client", "wilor_protocol")


def run() -> NoReturn:
    """Run the command that was asked for."""
    try:
        from wilor_sidecar.cli.main import run as run_command  # noqa: PLC0415 - may fail

        run_command()
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing.split(".")[0] in _OURS:
            raise
        why = f"the package {missing} is missing, which this command needs: {install_command()}"
        sys.stderr.write(f"wilor-sidecar: {why}\n")
        sys.exit(refused(Exit.CONFIG, why, sys.argv[1:]))
