"""`wilor-sidecar status`: how the daemon is, for people or, with --json, for programs."""

import argparse
import sys

import msgspec

from wilor_client import HandClient, NoReplyError
from wilor_sidecar.cli.commands import SubParsers, add_command, add_daemon_flags, keys_of, requests_of
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.cli.failure import CommandError
from wilor_sidecar.cli.status_text import status_lines
from wilor_sidecar.run_directory import lost_socket, socket_path


def add_parser(commands: SubParsers) -> None:
    """Declare the command."""
    parser = add_command(commands, "status", run, "Say how the daemon is. Exit status 0 when it is ready, else 1.")
    add_daemon_flags(parser)
    parser.add_argument("--json", action="store_true", help="the whole reply as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Ask and print."""
    with HandClient(requests_of(arguments), keys=keys_of(arguments)) as client:
        try:
            status = client.status()
        except NoReplyError as error:
            raise CommandError("; ".join(filter(None, (str(error), _why(client.address)))), Exit.FAILED) from error
    if arguments.json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(status)) + b"\n")
    else:
        sys.stdout.write("\n".join(status_lines(status)) + "\n")
    return Exit.OK if status.ready else Exit.FAILED


def _why(address: str) -> str:
    """Why nobody answers there, where that can be told."""
    return lost_socket(socket_path(address).parent) if address.startswith("ipc://") else ""
