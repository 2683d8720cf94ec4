"""stub"""

from wilor_sidecar.cli.commands import SubParsers


def add_parser(commands: SubParsers) -> None:
    """Declare."""
