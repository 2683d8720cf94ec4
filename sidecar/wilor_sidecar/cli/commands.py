"""What several commands share: a parser of their own, and the way to the daemon."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wilor_protocol.address import events_address, requests_address

SubParsers = Any  # argparse keeps the type of add_subparsers() private


def add_command(
    commands: SubParsers, name: str, run: Callable[[argparse.Namespace], int], description: str
) -> argparse.ArgumentParser:
    """A parser for a command; `run` gets the parsed arguments and returns the exit status."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=description, description=description)
    parser.set_defaults(run=run)
    return parser


def add_run_dir_flag(parser: argparse.ArgumentParser) -> None:
    """`--run-dir`, for a command that talks to a running daemon."""
    parser.add_argument(
        "--run-dir", type=Path, metavar="DIR", help="where the daemon's sockets are (default: as the daemon's)"
    )


def requests_of(arguments: argparse.Namespace) -> str | None:
    """The address that `--run-dir` means; None, the client's default, without it."""
    return requests_address(arguments.run_dir) if arguments.run_dir else None


def events_of(arguments: argparse.Namespace) -> str | None:
    """The address that `--run-dir` means; None, the client's default, without it."""
    return events_address(arguments.run_dir) if arguments.run_dir else None
