"""The installed command's first step: a person who installed only the client is told so, and not by a traceback."""

import sys
from typing import NoReturn

from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.cli.supervised import refused

_OURS = ("wilor_sidecar", "wilor_client", "wilor_protocol")


def run() -> NoReturn:
    """Run the command that was asked for."""
    try:
        from wilor_sidecar.cli.main import run as run_command  # noqa: PLC0415 - may fail
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing.split(".")[0] in _OURS:
            raise
        why = (
            f"{missing} is missing: only the client is installed here. For the daemon and its commands install "
            "'wilor-sidecar[daemon,camera]', with uv tool, pipx or pip"
        )
        sys.stderr.write(f"wilor-sidecar: {why}\n")
        sys.exit(refused(Exit.CONFIG, why, sys.argv[1:]))
    run_command()
