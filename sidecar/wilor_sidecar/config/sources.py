"""Which value counts: a flag, the environment, the settings file, or the default.

The model has one more place: what was chosen with `wilor-sidecar models use` comes before the embedded one.
"""

import argparse
import dataclasses
import difflib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wilor_sidecar.config.errors import ConfigError, NotThereYetError
from wilor_sidecar.config.file import CONFIG_VARIABLE, default_config_file, home_of, read_config_file
from wilor_sidecar.config.setting import VARIABLE_PREFIX, Setting, Value
from wilor_sidecar.config.table import SETTINGS, Config
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.store import ModelStore

CHOSEN = "wilor-sidecar models use"
"""The origin of a model that was chosen so."""
_DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Effective:
    """The settings that count, and why.

    Attributes:
        config: their values.
        origins: for each name where its value comes from, for people: "default", or a flag, variable or file.
        file: the settings file, whether it is there or not.
    """

    config: Config
    origins: dict[str, str]
    file: Path

    def located_model(self) -> str:
        """What to load: "embedded" or a folder that is there; the engine will see whether it is sound.

        Raises:
            ConfigError: it is not there.
            NotThereYetError: nor is the folder of models that was chosen; nobody knows which one is served from there.
        """
        model, folder = self.config.model, self.config.models_dir
        is_missing = not folder.is_dir() and (folder.exists() or self._is_chosen("models_dir"))
        if is_missing and not self._is_chosen("model"):
            raise self._no_models()
        try:
            return ModelStore(folder).locate(model)
        except WeightsError as error:
            is_name = Path(model).name == model
            raise (self._no_models() if is_missing and is_name else ConfigError(f"model: {error}")) from error

    def _no_models(self) -> NotThereYetError:
        return NotThereYetError(
            f"models_dir: expected a folder, got {self.config.models_dir}, which is none: mount its disk, make it, or "
            f"name a model ({self.origins['models_dir']})"
        )

    def _is_chosen(self, name: str) -> bool:
        return self.origins[name] != _DEFAULT


def add_flags(parser: argparse.ArgumentParser, *names: str) -> None:
    """Give a parser `--config` and a flag for each of these settings; without names for all of them.

    A flag that is not given leaves nothing in the namespace, so that a command and its action may both have it.
    """
    add_config_flag(parser)
    for each in SETTINGS:
        if names and each.name not in names:
            continue
        choices = f": {', '.join(each.choices)}" if each.choices else ""
        default = "" if each.default is None else f" (default: {each.default})"
        text = f"{each.help}{choices} [{each.variable}]{default}".replace("%", "%%")
        parser.add_argument(each.flag, help=text, metavar=each.name.upper(), default=argparse.SUPPRESS)


def add_config_flag(parser: argparse.ArgumentParser) -> None:
    """Give a parser the flag that names the settings file."""
    text = f"the settings file (TOML) [{CONFIG_VARIABLE}] (default: {_default_file(os.environ)})"
    parser.add_argument("--config", metavar="FILE", help=text, default=argparse.SUPPRESS)


def resolve(flags: argparse.Namespace, environment: Mapping[str, str]) -> Effective:
    """The settings that count.

    Args:
        flags: from a parser with `add_flags`, or with some of them: one that is missing says nothing.
        environment: of the process that is to go by them. An empty variable says nothing.

    Raises:
        ConfigError: a setting in the file or the environment is unknown, or one has a value that it cannot have, even
            where a better one would win; or the file was named and is not there.
    """
    _refuse_unknown_variables(environment)
    file, stored = _file(flags, environment)
    values = _defaults(environment)
    origins = dict.fromkeys(values, _DEFAULT)
    for each in SETTINGS:
        for origin, read in _candidates(each, flags, environment, file, stored):
            try:
                values[each.name], origins[each.name] = read(), origin
            except ConfigError as error:
                raise ConfigError(f"{error} ({origin})") from error
    config = Config(**values)  # type: ignore[arg-type]
    if origins["model"] == _DEFAULT and (chosen := _chosen_model(config)) != config.model:
        config, origins["model"] = dataclasses.replace(config, model=chosen), CHOSEN
    return Effective(config, origins, file)


def defaults_in(environment: Mapping[str, str]) -> Config:
    """The settings where nobody says anything, in an environment that need not be this process's."""
    return Config(**_defaults(environment))  # type: ignore[arg-type]


def _defaults(environment: Mapping[str, str]) -> dict[str, Value]:
    return {each.name: each.default_in(environment) for each in SETTINGS}


def _chosen_model(config: Config) -> str:
    try:
        return ModelStore(config.models_dir).chosen()
    except WeightsError as error:
        raise ConfigError(f"model: {error}") from error


def _candidates(
    setting: Setting, flags: argparse.Namespace, environment: Mapping[str, str], file: Path, stored: Mapping[str, Any]
) -> Iterator[tuple[str, Callable[[], Value]]]:
    """Where a setting has a value, and what reads it; what wins comes last."""
    if setting.name in stored:
        yield f"file {file}", lambda: setting.from_toml(stored[setting.name], file.parent)
    if environment.get(setting.variable):
        yield f"environment {setting.variable}", lambda: setting.from_text(environment[setting.variable])
    text = getattr(flags, setting.name, None)
    if text is not None:
        yield f"flag {setting.flag}", lambda: setting.from_text(str(text))


def _file(flags: argparse.Namespace, environment: Mapping[str, str]) -> tuple[Path, dict[str, Any]]:
    named = getattr(flags, "config", None) or environment.get(CONFIG_VARIABLE)
    path = Path(named).expanduser().absolute() if named else _default_file(environment)
    try:
        stored = read_config_file(path)
    except FileNotFoundError:
        if named:
            raise ConfigError(f"{path}: there is no such settings file") from None
        return path, {}
    names = [each.name for each in SETTINGS]
    for name in stored:
        if name not in names:
            raise ConfigError(f"{name}: there is no such setting{_nearest(name, names)} (file {path})")
    return path, stored


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    """A variable with a slip in it must not pass in silence for one that says nothing."""
    known = [CONFIG_VARIABLE, *(each.variable for each in SETTINGS)]
    for name in environment:
        if name.startswith(VARIABLE_PREFIX) and name not in known:
            raise ConfigError(f"{name}: there is no such setting{_nearest(name, known)} (environment)")


def _nearest(name: str, names: list[str]) -> str:
    return f"; the nearest is {difflib.get_close_matches(name, names, n=1, cutoff=0)[0]}"


def _default_file(environment: Mapping[str, str]) -> Path:
    return default_config_file(environment, platform=sys.platform, home=home_of(environment))


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without the variables of ours, for a daemon that is to heed none of them."""
    return {name: value for name, value in environment.items() if not name.startswith(VARIABLE_PREFIX)}
