"""`wilor-sidecar COMMAND ...`: find the command, run it, turn what it raises into a line and an exit status."""

import argparse
import difflib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from wilor_client.errors import HandClientError
from wilor_protocol.version import __version__
from wilor_sidecar.agent.errors import AgentError
from wilor_sidecar.cli import (
    agent,
    bench,
    config,
    convert,
    demo,
    doctor,
    estimate,
    keys,
    models,
    serve,
    setup,
    status,
    top,
    watch,
)
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.cli.failure import CommandError
from wilor_sidecar.cli.supervised import refused
from wilor_sidecar.config import ConfigError

_COMMANDS = (setup, serve, config, status, top, estimate, watch, demo, bench, convert, models, keys, agent, doctor)


class _Parser(argparse.ArgumentParser):
    """argparse, with the exit status of sysexits.h for a command line that cannot be understood.

    What a command does not know is refused by that command, with its own usage and the nearest of its flags.
    """

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """All arguments are known, or there is an error."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            name = unknown[0].partition("=")[0]
            flags = [flag for flag in self._option_string_actions if flag.startswith("--")]
            near = difflib.get_close_matches(name, flags, n=1)
            self.error(f"{name}: there is no such argument{f'; the nearest is {near[0]}' if near else ''}")
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message}\n{self.format_usage().strip()}", Exit.USAGE)


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
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        parsed = build_parser().parse_args(arguments)
        status: int = parsed.run(parsed)
    except CommandError as error:
        return _failed(error, error.status, arguments)
    except ConfigError as error:
        return _failed(error, Exit.CONFIG, arguments)
    except (AgentError, HandClientError) as error:
        return _failed(error, Exit.FAILED, arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone; nothing to say to them
        return Exit.OK
    return status


def _failed(error: Exception, status: Exit, arguments: Sequence[str]) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"wilor-sidecar: {error}\n")
    return refused(status, str(error), arguments)


def run() -> NoReturn:
    """The entry point of the installed program."""
    sys.exit(main())
