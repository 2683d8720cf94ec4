"""`wilor-sidecar COMMAND ...`: find the command, run it, turn what it raises into a line and an exit status."""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from wilor_client.errors import HandClientError
from wilor_protocol.version import __version__
from wilor_sidecar.cli import bench, config, convert, demo, estimate, keys, models, serve, setup, status, top, watch
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.cli.failure import CommandError
from wilor_sidecar.config import ConfigError

_COMMANDS = (setup, serve, config, status, top, estimate, watch, demo, bench, convert, models, keys)


class _Parser(argparse.ArgumentParser):
    """argparse, with the exit status of sysexits.h for a command line that cannot be understood."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(Exit.USAGE, f"{self.prog}: {message}\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = _Parser(prog="wilor-sidecar", description="3-D hand poses from a local daemon.")
    parser.add_argument("--version", action="version", version=f"wilor-sidecar {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=_Parser)
    for command in _COMMANDS:
        command.add_parser(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: after the program's name; None: the process's.

    Returns:
        The exit status.
    """
    parsed = build_parser().parse_args(arguments)
    try:
        status: int = parsed.run(parsed)
    except CommandError as error:
        return _failed(error, error.status)
    except ConfigError as error:
        return _failed(error, Exit.CONFIG)
    except HandClientError as error:
        return _failed(error, Exit.FAILED)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone; nothing to say to them
        return Exit.OK
    return status


def _failed(error: Exception, status: int) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"wilor-sidecar: {error}\n")
    return status


def run() -> NoReturn:
    """The entry point of the installed program."""
    sys.exit(main())
