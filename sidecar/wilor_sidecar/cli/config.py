"""`wilor-sidecar config`: the settings that `serve` would have, and where each comes from."""

import argparse
import json
import os
import sys
from pathlib import Path

from wilor_sidecar.cli.commands import SubParsers, add_command
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.config import SETTINGS, Effective, add_flags, resolve
from wilor_sidecar.config.host_port import HostPort
from wilor_sidecar.config.setting import Value


def add_parser(commands: SubParsers) -> None:
    """Declare the command."""
    parser = add_command(
        commands, "config", run, "Print the settings that serve would have with these flags, and where each comes from."
    )
    add_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Resolve and print."""
    sys.stdout.write("\n".join(_lines(resolve(arguments, os.environ))) + "\n")
    return Exit.OK


def _lines(effective: Effective) -> list[str]:
    """A settings file that says the same, with the origins as its comments."""
    there = "" if effective.file.is_file() else " (there is none)"
    lines = [f"# settings file: {effective.file}{there}"]
    for each in SETTINGS:
        value: Value = getattr(effective.config, each.name)
        line = f"# {each.name} is not set" if value is None else f"{each.name} = {_toml(value)}"
        lines.append(f"{line:<40} # {effective.origins[each.name]}")
    return lines


def _toml(value: Value) -> str:
    """The value as TOML writes it, which for texts, numbers and booleans is as JSON does."""
    return json.dumps(str(value) if isinstance(value, (Path, HostPort)) else value, ensure_ascii=False)
