"""`wilor-sidecar keys`: who may reach the daemon over TCP."""

import argparse
import os
import sys
from pathlib import Path

from wilor_sidecar.cli.commands import SubParsers, add_command
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.cli.failure import CommandError
from wilor_sidecar.config import add_flags, resolve
from wilor_sidecar.keys import KeyRing, KeysError


def add_parser(commands: SubParsers) -> None:
    """Declare the command."""
    parser = add_command(commands, "keys", run_list, "List the clients that may come in over TCP; add or remove one.")
    add_flags(parser, "keys_dir")
    actions = parser.add_subparsers(metavar="ACTION")
    add = add_command(actions, "add", run_add, "Make keys for a client, and for the daemon if it has none.")
    add.add_argument("name", help="for the client: letters, digits, dots, hyphens, underscores")
    add.add_argument("--out", type=Path, metavar="FILE", help="the file for the client (default: NAME.keys.toml)")
    remove = add_command(actions, "remove", run_remove, "Let a client in no more.")
    remove.add_argument("name", help="as `wilor-sidecar keys` lists it")
    for action in (add, remove):
        add_flags(action, "keys_dir")


def run_list(arguments: argparse.Namespace) -> int:
    """Print the clients and their public keys."""
    ring = _ring(arguments)
    lines = [f"{name}  {public}" for name, public in ring.clients().items()]
    sys.stdout.write("\n".join(lines or ["there are no keys: `wilor-sidecar keys add NAME` makes some"]) + "\n")
    return Exit.OK


def run_add(arguments: argparse.Namespace) -> int:
    """Make a client's file."""
    out = arguments.out or Path(f"{arguments.name}.keys.toml")
    ring = _ring(arguments)
    try:
        is_first = ring.daemon() is None
        ring.add(arguments.name, out)
    except KeysError as error:
        raise CommandError(str(error)) from error
    again = "; the daemon asks for keys from its next start on" if is_first else ""
    sys.stdout.write(f"{out}: give it to {arguments.name} and to nobody else{again}\n")
    return Exit.OK


def run_remove(arguments: argparse.Namespace) -> int:
    """Take a client's public key away."""
    try:
        _ring(arguments).remove(arguments.name)
    except KeysError as error:
        raise CommandError(str(error)) from error
    sys.stdout.write(f"{arguments.name} can connect no more; a connection that it has stays until it ends\n")
    return Exit.OK


def _ring(arguments: argparse.Namespace) -> KeyRing:
    return KeyRing(resolve(arguments, os.environ).config.keys_dir)
