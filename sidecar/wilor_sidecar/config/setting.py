"""What one setting is, and how the text of a flag or a value of a TOML file becomes its value."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field
from pathlib import Path
from typing import Any

from wilor_sidecar.config.errors import ConfigError
from wilor_sidecar.config.host_port import HostPort

Value = str | int | float | bool | Path | HostPort | None
Derive = Callable[[Mapping[str, str]], Value]

VARIABLE_PREFIX = "WILOR_SIDECAR_"
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_EXPECTED: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
    HostPort: "an IP address and a port, as 127.0.0.1:9090",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of the table.

    Attributes:
        name: in the settings file; flag and variable follow from it.
        kind: of its value: str, int, float, bool, Path or HostPort.
        default: its value when nobody says, in this process's environment; None: it has none.
        help: what it is for.
        variable: in the environment.
        choices: the only texts that it may be; empty: any.
        low, high: between which a number must lie; None: no limit.
        derive: makes the default of an environment; None: it is the same in all.
    """

    name: str
    kind: type
    default: Value
    help: str
    variable: str
    choices: tuple[str, ...]
    low: float | None
    high: float | None
    derive: Derive | None = None

    @property
    def flag(self) -> str:
        """On the command line."""
        return f"--{self.name.replace('_', '-')}"

    def default_in(self, environment: Mapping[str, str]) -> Value:
        """Its value when nobody says, in an environment that need not be this process's."""
        return self.default if self.derive is None else self.derive(environment)

    def from_text(self, text: str) -> Value:
        """The value that a flag or a variable means. An empty text means none, for a setting that may have none.

        Raises:
            ConfigError: it means none that this setting can have.
        """
        if not text and self.default is None:
            return None
        try:
            value = _READERS[self.kind](text)
        except ValueError:
            raise self._wrong(text) from None
        return self._checked(value)

    def from_toml(self, value: object, folder: Path) -> Value:
        """The value that a settings file gives.

        Args:
            value: as tomllib read it.
            folder: of the file; a path in it that is not absolute begins there.

        Raises:
            ConfigError: another type, or a value that this setting cannot have.
        """
        if self.kind is Path and isinstance(value, str):
            path = self.from_text(value)
            return folder / path if isinstance(path, Path) else path
        if self.kind is HostPort and isinstance(value, str):
            return self.from_text(value)
        if self.kind is float and type(value) is int:
            value = float(value)
        if type(value) is not self.kind:  # exactly: true is no whole number
            raise self._wrong(value)
        return self._checked(value)

    def _checked(self, value: Any) -> Value:
        if self.choices and value not in self.choices:
            raise self._wrong(value)
        if self.kind is float and not math.isfinite(value):
            raise self._wrong(value)
        if self.low is not None and value < self.low:
            raise self._wrong(value)
        if self.high is not None and value > self.high:
            raise self._wrong(value)
        return value  # type: ignore[no-any-return]

    def _wrong(self, got: object) -> ConfigError:
        return ConfigError(f"{self.name}: expected {self.expected}, got {got!r}")

    @property
    def expected(self) -> str:
        """What its value may be, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.low is not None and self.high is not None:
            return f"{_EXPECTED[self.kind]} from {self.low:.12g} to {self.high:.12g}"
        if self.low is not None:
            return f"{_EXPECTED[self.kind]}, {self.low:g} or more"
        return _EXPECTED[self.kind]


def declare(
    default: Value | Derive,
    description: str,
    *,
    variable: str = "",
    choices: tuple[str, ...] = (),
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """A field of the table: see `Setting`. A default that the environment decides is given as a function of it."""
    particulars = {"help": description, "variable": variable, "choices": choices, "low": low, "high": high}
    if callable(default):
        return field(default_factory=lambda: default(os.environ), metadata={**particulars, "derive": default})
    return field(default=default, metadata=particulars)


def setting_of(column: "Field[Any]", kind: type) -> Setting:
    """The row that a field of the table declares."""
    particulars = dict(column.metadata)
    particulars["variable"] = particulars["variable"] or VARIABLE_PREFIX + column.name.upper()
    default: Any = column.default if column.default_factory is MISSING else column.default_factory()
    return Setting(name=column.name, kind=kind, default=default, **particulars)


def _read_bool(text: str) -> bool:
    word = text.lower()
    if word not in _TRUE + _FALSE:
        raise ValueError
    return word in _TRUE


def _read_path(text: str) -> Path:
    if not text:
        raise ValueError
    try:
        return Path(text).expanduser()
    except RuntimeError:  # ~somebody, who is not here
        raise ValueError(text) from None


_READERS: dict[type, Callable[[str], Any]] = {
    str: str,
    int: int,
    float: float,
    bool: _read_bool,
    Path: _read_path,
    HostPort: HostPort.parse,
}
