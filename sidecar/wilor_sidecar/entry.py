"""The installed command's first step. What it imports takes a moment, in which somebody may want it to end."""

import sys
from typing import NoReturn


def run() -> NoReturn:
    """Run the command that was asked for."""
    try:
        from wilor_sidecar.cli.main import main  # noqa: PLC0415 - see above

        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
