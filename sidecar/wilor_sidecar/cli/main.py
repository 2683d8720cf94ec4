"""`wilor-sidecar COMMAND ...`: find the command, run it, turn what it raises into a line and an exit status."""

import argparse
import difflib
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from wilor_client.errors import HandClientError
from wilor_protocol.version import __version__
from wilor_sidecar.agent.errors import AgentError
from wilor_sidecar.cli.commands import SubParsers
from wilor_sidecar.cli.exits import PASSING, Exit
from wilor_sidecar.cli.failure import CommandError, status_of_refusal
from wilor_sidecar.cli.streams import give_up_stdout, prepare_streams
from wilor_sidecar.cli.supervised import refused
from wilor_sidecar.config import ConfigError
from wilor_sidecar.installation import install_command

_COMMANDS = (
    "setup",
    "serve",
    "config",
    "status",
    "top",
    "estimate",
    "watch",
    "demo",
    "bench",
    "convert",
    "models",
    "keys",
    "agent",
    "doctor",
)
"""Each in a module of that name, which is imported when it is asked for: some need more than others."""
_OURS = ("wilor_sidecar", "wilor_client", "wilor_protocol")


class _Parser(argparse.ArgumentParser):
    """argparse, with the exit status of sysexits.h for a command line that cannot be understood.

    What a command does not know is refused by that command, with its own usage and the nearest of its flags. A flag is
    written out: a part of its name would mean another one in a later version.
    """

    def __init__(self, **particulars: Any) -> None:
        super().__init__(**{**particulars, "allow_abbrev": False})

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


def build_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for a command line: whole for the command that it names; of the others it knows what it prints."""
    parser = _Parser(prog="wilor-sidecar", description="3-D hand poses from a local daemon.")
    parser.add_argument("--version", action="version", version=f"wilor-sidecar {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=_Parser)
    named = next((argument for argument in arguments if argument in _COMMANDS), None)
    is_overview = named is None and not {"-h", "--help"}.isdisjoint(arguments)
    for command in _COMMANDS:
        if command == named:
            _module(command).add_parser(commands)
        elif is_overview:
            _describe(command, commands)
        else:
            commands.add_parser(command)
    return parser


def _module(command: str) -> Any:
    return import_module(f"wilor_sidecar.cli.{command}")


def _describe(command: str, commands: SubParsers) -> None:
    """For the help of all: also of those that cannot run here."""
    try:
        _module(command).add_parser(commands)
    except ModuleNotFoundError as error:
        commands.add_parser(command, help=f"(cannot run here: {_missing(error)} is not installed)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: after the program's name; None: the process's.

    Returns:
        The exit status.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    prepare_streams()
    try:
        parsed = build_parser(arguments).parse_args(arguments)
        status: int = parsed.run(parsed)
        sys.stdout.flush()
    except (CommandError, ConfigError, AgentError, HandClientError) as error:
        return _failed(error, _status_of(error), arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has gone; nothing to say to them
        give_up_stdout()
        return Exit.OK
    except ModuleNotFoundError as error:
        why = f"the package {_missing(error)} is missing, which this command needs: {install_command()}"
        return _failed(CommandError(why), Exit.CONFIG, arguments)
    except OSError as error:
        if error.errno not in PASSING:
            raise
        return _failed(error, Exit.TEMPORARY, arguments)
    return status


def _missing(error: ModuleNotFoundError) -> str:
    """The package that is missing; for one of ours that is a mistake, and raised again."""
    package = (error.name or "").split(".")[0]
    if package in _OURS:
        raise error
    return package


def _status_of(error: Exception) -> Exit:
    if isinstance(error, CommandError):
        return error.status
    return status_of_refusal(error) if isinstance(error, ConfigError) else Exit.FAILED


def _failed(error: Exception, status: Exit, arguments: Sequence[str]) -> int:
    try:
        sys.stdout.flush()
    except OSError:
        give_up_stdout()
    sys.stderr.write(f"wilor-sidecar: {error}\n")
    return refused(status, str(error), arguments)


def run() -> NoReturn:
    """The entry point of the installed program."""
    sys.exit(main())
