"""The settings: where each value comes from, and what is refused."""

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest

from wilor_protocol.address import default_run_directory
from wilor_sidecar.config import Config, ConfigError, variable_of

SETTINGS = dataclasses.fields(Config)


def parser() -> argparse.ArgumentParser:
    """As `serve` makes its own."""
    made = argparse.ArgumentParser(prog="serve")
    Config.add_flags(made)
    return made


def resolve(flags: str = "", environment: Mapping[str, str] | None = None) -> Config:
    """The settings that these flags and this environment lead to."""
    return Config.resolve(parser().parse_args(flags.split()), environment or {})


def test_defaults_are_complete() -> None:
    """Without flags and environment everything has a value that works."""
    config = resolve()
    assert (config.model, config.log_level) == ("embedded", "info")
    assert config.run_directory == default_run_directory()


def test_the_environment_wins_over_the_default() -> None:
    """Each setting has its variable."""
    config = resolve(environment={"WILOR_SIDECAR_LOG_LEVEL": "debug", "WILOR_SIDECAR_RUN": "/somewhere"})
    assert config.log_level == "debug"
    assert config.run_directory == Path("/somewhere")


def test_a_flag_wins_over_the_environment() -> None:
    """What is said on the command line is what counts."""
    environment = {"WILOR_SIDECAR_LOG_LEVEL": "debug", "WILOR_SIDECAR_RUN": "/somewhere"}
    config = resolve("--log-level error --run-dir /elsewhere", environment)
    assert config.log_level == "error"
    assert config.run_directory == Path("/elsewhere")


def test_the_sources_are_weighed_setting_by_setting(tmp_path: Path) -> None:
    """One flag does not switch the environment off for the others."""
    (tmp_path / "config.json").touch()
    config = resolve("--log-level error", {"WILOR_SIDECAR_MODEL": str(tmp_path)})
    assert (config.model, config.log_level) == (str(tmp_path), "error")


def test_a_bad_value_is_refused_before_a_better_one_is_looked_for() -> None:
    """A bad flag is not made good by the environment."""
    with pytest.raises(ConfigError, match="log_level"):
        resolve("--log-level loud", {"WILOR_SIDECAR_LOG_LEVEL": "debug"})


def test_a_bad_choice_is_refused() -> None:
    """The error names the setting, what it may be, and what it was."""
    with pytest.raises(ConfigError, match=r"log_level: .*debug, info, warning, error.*'loud'"):
        resolve(environment={"WILOR_SIDECAR_LOG_LEVEL": "loud"})


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_without_a_model_is_refused(tmp_path: Path, there: bool) -> None:
    """The error names the setting and the folder, whether it is empty or missing."""
    folder = tmp_path / "model"
    if there:
        folder.mkdir()
    with pytest.raises(ConfigError, match=f"model: .*{folder}.*config.json"):
        resolve(f"--model {folder}")


def test_a_converted_folder_is_taken(tmp_path: Path) -> None:
    """A folder with a config.json may be a model; the engine will see."""
    (tmp_path / "config.json").touch()
    assert resolve(f"--model {tmp_path}").model == str(tmp_path)


def test_an_empty_variable_is_no_value() -> None:
    """`VARIABLE= wilor-sidecar serve` means the default, as an empty `$WILOR_SIDECAR_RUN` does for clients."""
    assert resolve(environment={variable_of(setting): "" for setting in SETTINGS}) == Config()


def test_settings_cannot_be_changed_later() -> None:
    """A Config is a value."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        resolve().model = "other"  # type: ignore[misc]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_help_tells_of_every_setting(setting: "dataclasses.Field[object]") -> None:
    """Flag, variable, meaning and default of each stand in the help."""
    text = " ".join(parser().format_help().replace("-\n", "-").split())
    assert f"--{setting.name.replace('_', '-')}" in text
    assert f"[{variable_of(setting)}]" in text
    assert setting.metadata["help"][:20] in text
    if setting.default:
        assert f"(default: {setting.default})" in text


def test_variables_begin_with_the_programs_name() -> None:
    """No two settings share a variable, and none could be another program's."""
    variables = [variable_of(setting) for setting in SETTINGS]
    assert len(set(variables)) == len(variables)
    assert all(variable.startswith("WILOR_SIDECAR_") for variable in variables)
