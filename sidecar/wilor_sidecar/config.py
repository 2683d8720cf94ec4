"""The daemon's settings: for each its name, default, unit and help, here and nowhere else.

A flag wins over the environment, the environment over the default. `serve --help` is made from this table.
"""

import argparse
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from wilor_protocol.address import RUN_VARIABLE, default_run_directory

_PREFIX = "WILOR_SIDECAR_"


class ConfigError(Exception):
    """A setting has a value that it cannot have; the text names it and says what would do."""


def _setting(default: Any, description: str, *, variable: str | None = None, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"help": description, "variable": variable, "choices": choices})


@dataclass(frozen=True, slots=True)
class Config:
    """What `serve` needs to know."""

    model: str = _setting("embedded", "the network to serve: embedded, or a folder made by `wilor-sidecar convert`")
    run_dir: str = _setting("", "the private directory for the sockets (default: see README)", variable=RUN_VARIABLE)
    log_level: str = _setting("info", "how much to log", choices=("debug", "info", "warning", "error"))

    def __post_init__(self) -> None:
        for each in fields(self):
            choices = each.metadata["choices"]
            if choices and getattr(self, each.name) not in choices:
                raise ConfigError(
                    f"{each.name}: expected one of {', '.join(choices)}, got {getattr(self, each.name)!r}"
                )
        if self.model != "embedded" and not (Path(self.model) / "config.json").is_file():
            raise ConfigError(f"model: expected embedded or a converted folder, {self.model!r} has no config.json")

    @property
    def run_directory(self) -> Path:
        """Where the sockets go."""
        return Path(self.run_dir) if self.run_dir else default_run_directory()

    @classmethod
    def add_flags(cls, parser: argparse.ArgumentParser) -> None:
        """Give a parser a flag for each setting."""
        for each in fields(cls):
            choices = ", ".join(each.metadata["choices"])
            text = each.metadata["help"] + (f": {choices}" if choices else "") + f" [{variable_of(each)}]"
            if each.default:
                text += f" (default: {each.default})"
            parser.add_argument(f"--{each.name.replace('_', '-')}", help=text, metavar=each.name.upper())

    @classmethod
    def resolve(cls, flags: argparse.Namespace, environment: Mapping[str, str]) -> "Config":
        """The effective settings.

        Raises:
            ConfigError: one of them has a value that it cannot have.
        """
        values = {}
        for each in fields(cls):
            value = getattr(flags, each.name, None) or environment.get(variable_of(each))
            if value:  # an empty variable says nothing
                values[each.name] = value
        return cls(**values)


def variable_of(setting: "Field[Any]") -> str:
    """The environment's name for a setting."""
    return setting.metadata["variable"] or _PREFIX + setting.name.upper()
