"""What several commands share: a parser of their own, and the way to the daemon."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wilor_client import ClientKeys
from wilor_protocol.address import events_address, requests_address
from wilor_sidecar.config import resolve
from wilor_sidecar.config.sources import add_config_flag

SubParsers = Any  # argparse keeps the type of add_subparsers() private


def add_command(
    commands: SubParsers, name: str, run: Callable[[argparse.Namespace], int], description: str
) -> argparse.ArgumentParser:
    """A parser for a command; `run` gets the parsed arguments and returns the exit status."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=description, description=description)
    parser.set_defaults(run=run)
    return parser


def add_daemon_flags(parser: argparse.ArgumentParser) -> None:
    """How a command finds a running daemon: in a run directory, or over TCP."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--run-dir", metavar="DIR", help="where the daemon's sockets are (default: as the daemon's)")
    where.add_argument("--tcp", type=_host_port, metavar="HOST:PORT", help="reach it over TCP, as it was told --tcp")
    parser.add_argument("--keys", type=Path, metavar="FILE", help="from `wilor-sidecar keys add`, for TCP")
    add_config_flag(parser)


def requests_of(arguments: argparse.Namespace) -> str | None:
    """Where the daemon with these settings answers; None, the client's default, where no setting says."""
    if arguments.tcp:
        host, port = arguments.tcp
        return f"tcp://{host}:{port}"
    directory = _run_dir_of(arguments)
    return requests_address(directory) if directory else None


def events_of(arguments: argparse.Namespace) -> str | None:
    """Where the daemon with these settings publishes; None, the client's default, where no setting says."""
    if arguments.tcp:
        host, port = arguments.tcp
        return f"tcp://{host}:{port + 1}"
    directory = _run_dir_of(arguments)
    return events_address(directory) if directory else None


def keys_of(arguments: argparse.Namespace) -> ClientKeys | None:
    """The keys of `--keys`.

    Raises:
        HandClientError: they cannot be read.
    """
    return ClientKeys.read(arguments.keys) if arguments.keys else None


def _run_dir_of(arguments: argparse.Namespace) -> Path | None:
    named = {name: value for name, value in vars(arguments).items() if name in ("config", "run_dir")}
    effective = resolve(argparse.Namespace(**named), os.environ)
    return None if effective.origins["run_dir"] == "default" else effective.config.run_dir


def _host_port(text: str) -> tuple[str, int]:
    """A host, which may be a name, and a port."""
    host, colon, port = text.rpartition(":")
    if not host or not colon or not port.isdecimal() or not 1 <= int(port) <= 65534:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, got {text}")
    return host, int(port)
