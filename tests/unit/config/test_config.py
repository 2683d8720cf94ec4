"""The settings: where each value comes from, and what is refused."""

import argparse
import dataclasses
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from wilor_protocol.address import default_run_directory
from wilor_sidecar.config import (
    SETTINGS,
    Config,
    ConfigError,
    Effective,
    NotThereYetError,
    add_flags,
    resolve,
    without_settings,
)
from wilor_sidecar.config.file import CONFIG_VARIABLE, default_config_file
from wilor_sidecar.config.setting import Setting
from wilor_sidecar.weights.store import models_directory

NO_FILE = {CONFIG_VARIABLE: os.devnull}
NO_MODELS = {"WILOR_SIDECAR_MODELS_DIR": "/nowhere"}
DEFAULTS = Config(models_dir=Path("/nowhere"))


def parser() -> argparse.ArgumentParser:
    """As `serve` makes its own."""
    made = argparse.ArgumentParser(prog="serve")
    add_flags(made)
    return made


def effective(flags: str = "", environment: Mapping[str, str] | None = None, toml: Path | None = None) -> Effective:
    """The settings that these flags, this environment and this file lead to."""
    file = {CONFIG_VARIABLE: str(toml)} if toml else NO_FILE
    outside = without_settings(os.environ)
    return resolve(parser().parse_args(flags.split()), {**outside, **file, **NO_MODELS, **(environment or {})})


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    """A settings file that says one thing."""
    path = tmp_path / "config.toml"
    path.write_text('log_level = "warning"\n')
    return path


def test_defaults_are_complete() -> None:
    """Without flags, environment and file everything has a value that works."""
    found = effective()
    assert found.config == DEFAULTS
    assert (found.config.model, found.config.log_level) == ("embedded", "info")
    assert found.config.run_dir == default_run_directory()
    assert {name for name, origin in found.origins.items() if origin != "default"} == {"models_dir"}
    assert Config().models_dir == models_directory(os.environ, platform=sys.platform, home=Path.home())


def test_each_source_wins_over_the_next(toml: Path) -> None:
    """Flag, environment, file, default: in this order, and each says that it was the one."""
    variable = {"WILOR_SIDECAR_LOG_LEVEL": "debug"}
    tries = [
        effective("--log-level error", variable, toml),
        effective("", variable, toml),
        effective("", {}, toml),
        effective(),
    ]
    assert [each.config.log_level for each in tries] == ["error", "debug", "warning", "info"]
    assert [each.origins["log_level"] for each in tries] == [
        "flag --log-level",
        "environment WILOR_SIDECAR_LOG_LEVEL",
        f"file {toml}",
        "default",
    ]


def test_the_sources_are_weighed_setting_by_setting(toml: Path) -> None:
    """One flag does not switch environment and file off for the others."""
    config = effective("--run-dir /r", {"WILOR_SIDECAR_MODEL": "m"}, toml).config
    assert (config.run_dir, config.model, config.log_level) == (Path("/r"), "m", "warning")


def test_the_run_directory_has_the_protocols_variable() -> None:
    """It is the one that clients read too."""
    assert effective("", {"WILOR_SIDECAR_RUN": "/somewhere"}).config.run_dir == Path("/somewhere")


@pytest.mark.parametrize(
    ("flags", "environment"),
    [
        ("--log-level loud", {"WILOR_SIDECAR_LOG_LEVEL": "debug"}),
        ("--log-level debug", {"WILOR_SIDECAR_LOG_LEVEL": "loud"}),
    ],
)
def test_a_bad_value_is_refused_wherever_it_stands(flags: str, environment: dict[str, str]) -> None:
    """Neither is it made good by what would win or lose; the error names setting, choices, value and place."""
    with pytest.raises(ConfigError, match=r"log_level: .*debug, info, warning, error.*'loud' \((flag|environment) "):
        effective(flags, environment)


def test_an_unknown_key_in_the_file_is_refused(toml: Path) -> None:
    """The error says which is nearest, and in which file it stands."""
    toml.write_text('log-levle = "debug"\n')
    with pytest.raises(ConfigError, match=f"log-levle: .*nearest is log_level .*{toml}"):
        effective("", {}, toml)


def test_a_table_in_the_file_is_an_unknown_key(toml: Path) -> None:
    """The file is flat."""
    toml.write_text('[daemon]\nlog_level = "debug"\n')
    with pytest.raises(ConfigError, match="daemon: there is no such setting"):
        effective("", {}, toml)


def test_an_unknown_variable_is_refused() -> None:
    """A slip in a variable's name does not pass in silence."""
    with pytest.raises(ConfigError, match=r"WILOR_SIDECAR_LOGLEVEL: .*nearest is WILOR_SIDECAR_LOG_LEVEL"):
        effective("", {"WILOR_SIDECAR_LOGLEVEL": "debug"})


@pytest.mark.parametrize("text", ["x = " + "[" * 5000, "x = " + "9" * 5000])
def test_a_file_that_is_too_much_for_its_reader_is_refused(toml: Path, text: str) -> None:
    """A sentence, whatever the reader's own complaint."""
    toml.write_text(text)
    with pytest.raises(ConfigError, match="is not TOML"):
        effective("", {}, toml)


@pytest.mark.parametrize("text", ["log_level = ", "log_level = 'a'\nlog_level = 'b'", "\0"])
def test_a_file_that_is_no_toml_is_refused(toml: Path, text: str) -> None:
    """The error names the file and the line."""
    toml.write_text(text)
    with pytest.raises(ConfigError, match=f"{toml}: is not TOML: .*(line|end of document)"):
        effective("", {}, toml)


def test_a_file_that_is_no_text_is_refused(toml: Path) -> None:
    """TOML is UTF-8."""
    toml.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not TOML"):
        effective("", {}, toml)


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    """The usual file may be missing; one that somebody named may not."""
    assert effective("", {CONFIG_VARIABLE: "", "XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)})
    for flags, environment in (("--config nowhere.toml", {}), ("", {CONFIG_VARIABLE: "nowhere.toml"})):
        with pytest.raises(ConfigError, match=r"nowhere\.toml: there is no such settings file"):
            effective(flags, environment)
    with pytest.raises(ConfigError, match="cannot be read"):
        effective(f"--config {tmp_path}")


def test_the_flag_names_the_file_that_counts(toml: Path, tmp_path: Path) -> None:
    """`--config` wins over its variable, and the other file is not even read."""
    other = tmp_path / "other.toml"
    other.write_text("nonsense")
    assert effective(f"--config {toml}", {CONFIG_VARIABLE: str(other)}).config.log_level == "warning"


def test_where_the_file_is_by_default() -> None:
    """By the platform's rule."""
    home = Path("/home/ada lovelace")
    assert default_config_file({}, platform="linux", home=home) == home / ".config/wilor-sidecar/config.toml"
    xdg = {"XDG_CONFIG_HOME": "/etc/ada"}
    assert default_config_file(xdg, platform="linux", home=home) == Path("/etc/ada/wilor-sidecar/config.toml")
    on_mac = home / "Library/Application Support/wilor-sidecar/config.toml"
    assert default_config_file(xdg, platform="darwin", home=home) == on_mac


def test_a_path_in_the_file_begins_at_the_file(toml: Path) -> None:
    """Not at the working directory, which a supervisor chooses; ~ is the user's home everywhere."""
    toml.write_text('run_dir = "run"\n')
    assert effective("", {}, toml).config.run_dir == toml.parent / "run"
    toml.write_text('run_dir = "~/run"\n')
    assert effective("", {}, toml).config.run_dir == Path.home() / "run"
    assert effective("--run-dir run").config.run_dir == Path("run")


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_without_a_model_is_refused(tmp_path: Path, there: bool) -> None:
    """The error names the setting and the folder, whether it is empty or missing."""
    folder = tmp_path / "model"
    if there:
        folder.mkdir()
    with pytest.raises(ConfigError, match=f"model: .*{folder}.*config.json"):
        effective(f"--model {folder}").located_model()


def test_a_converted_folder_is_taken(tmp_path: Path) -> None:
    """A folder with a config.json may be a model; the engine will see."""
    (tmp_path / "config.json").touch()
    assert effective(f"--model {tmp_path}").located_model() == str(tmp_path)


def test_the_chosen_model_comes_before_the_embedded_one(tmp_path: Path, toml: Path) -> None:
    """Flag, environment and file win over `models use`; without a choice the embedded model serves."""
    for name in ("chosen", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").touch()
    models = {"WILOR_SIDECAR_MODELS_DIR": str(tmp_path)}
    assert effective("", models).located_model() == "embedded"
    (tmp_path / ".default").write_text("chosen\n")
    found = effective("", models)
    assert found.located_model() == str(tmp_path / "chosen")
    assert found.origins["model"] == "wilor-sidecar models use"
    toml.write_text('model = "other"\n')
    assert effective("", models, toml).located_model() == str(tmp_path / "other")
    variable = {**models, "WILOR_SIDECAR_MODEL": "embedded"}
    assert effective("", variable, toml).located_model() == "embedded"
    assert effective("--model chosen", variable, toml).located_model() == str(tmp_path / "chosen")


def test_a_chosen_model_that_is_gone_is_not_replaced_in_silence(tmp_path: Path) -> None:
    """Serving another model than the one that was chosen would be a wrong answer."""
    (tmp_path / ".default").write_text("gone\n")
    with pytest.raises(ConfigError, match=f"model: .*'gone' has no config.json in {tmp_path}/gone"):
        effective("", {"WILOR_SIDECAR_MODELS_DIR": str(tmp_path)}).located_model()


def test_a_choice_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """It is an error of configuration like any other."""
    (tmp_path / ".default").mkdir()
    with pytest.raises(ConfigError, match=r"model: .*\.default: cannot be read"):
        effective("", {"WILOR_SIDECAR_MODELS_DIR": str(tmp_path)})


@pytest.mark.parametrize("is_file", [False, True])
def test_a_folder_of_models_that_is_missing_is_not_passed_over(tmp_path: Path, toml: Path, is_file: bool) -> None:
    """On a disk that is not mounted lies the choice of what is served; the embedded model would be another."""
    folder = tmp_path / "models"
    if is_file:
        folder.touch()
    for text in (f'models_dir = "{folder}"\n', f'models_dir = "{folder}"\nmodel = "mine"\n'):
        toml.write_text(text)
        with pytest.raises(NotThereYetError, match=f"models_dir: expected a folder, got {folder}.*{toml}"):
            effective("", {"WILOR_SIDECAR_MODELS_DIR": ""}, toml).located_model()
    toml.write_text(f'models_dir = "{folder}"\nmodel = "embedded"\n')
    assert effective("", {"WILOR_SIDECAR_MODELS_DIR": ""}, toml).located_model() == "embedded", "it needs no folder"


def test_defaults_follow_the_environment_that_is_given(tmp_path: Path) -> None:
    """Not this process's: a supervisor's may lead elsewhere."""
    places = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("CONFIG", "DATA")}
    config = resolve(argparse.Namespace(), {**places, "XDG_RUNTIME_DIR": "/run/ada", "HOME": str(tmp_path)}).config
    assert config.run_dir == Path("/run/ada/wilor-sidecar")
    assert config.models_dir == tmp_path / "DATA" / "wilor-sidecar" / "models"
    assert config.keys_dir == tmp_path / "CONFIG" / "wilor-sidecar" / "keys"


def test_an_empty_variable_is_no_value() -> None:
    """`VARIABLE= wilor-sidecar serve` means the default, as an empty `$WILOR_SIDECAR_RUN` does for clients."""
    variables = {each.variable: "" for each in SETTINGS}
    assert effective("", {**variables, **NO_MODELS}).config == DEFAULTS


def test_settings_cannot_be_changed_later() -> None:
    """A Config is a value."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().model = "other"  # type: ignore[misc]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_help_tells_of_every_setting(setting: Setting) -> None:
    """Flag, variable, meaning and default of each stand in the help."""
    text = "".join(parser().format_help().split())
    assert f"{setting.flag}{setting.name.upper()}" in text
    assert f"[{setting.variable}]" in text
    assert "".join(setting.help.split()) in text
    if setting.default is not None:
        assert "".join(f"(default: {setting.default})".split()) in text


def test_every_setting_has_one_name_in_three_spellings() -> None:
    """Flag and variable follow from the name; only the run directory's variable is the protocol's."""
    for each in SETTINGS:
        assert each.flag == "--" + each.name.replace("_", "-")
        assert each.variable == (
            "WILOR_SIDECAR_RUN" if each.name == "run_dir" else "WILOR_SIDECAR_" + each.name.upper()
        )
    assert len({each.variable for each in SETTINGS}) == len(SETTINGS)


def row(kind: type, default: object = None, **limits: float) -> Setting:
    """A setting of this type."""
    found = {"low": None, "high": None, **limits}
    return Setting(name="x", kind=kind, default=default, help="", variable="X", choices=(), **found)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (int, "12", 12),
        (float, "1.5", 1.5),
        (float, "2", 2.0),
        (bool, "Yes", True),
        (bool, "off", False),
        (str, "", None),
        (Path, "", None),
        (Path, "~/a b", Path.home() / "a b"),
    ],
)
def test_texts_become_values(kind: type, text: str, value: object) -> None:
    """As a person would mean them; an empty text takes away what a weaker source has set."""
    assert row(kind).from_text(text) == value


@pytest.mark.parametrize("text", ["", "one", "1.5", "0", "11", "nan"])
def test_texts_that_mean_nothing_are_refused(text: str) -> None:
    """The error names what was expected and what came."""
    with pytest.raises(
        ConfigError, match=f"x: expected a whole number from 1 to 10, got {text!r}|got {text or repr('')}"
    ):
        row(int, 5, low=1, high=10).from_text(text)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(int, True), (int, 1.0), (int, "1"), (bool, 1), (str, 5), (Path, 5), (float, "1"), (float, True)],
)
def test_toml_of_another_type_is_refused(kind: type, value: object) -> None:
    """TOML has types, and they count."""
    with pytest.raises(ConfigError, match="x: expected"):
        row(kind).from_toml(value, Path("/"))


def test_toml_numbers() -> None:
    """A whole number is a number; infinity and not a number are none, limits or not."""
    assert row(float).from_toml(3, Path("/")) == 3.0
    for number in (float("nan"), float("inf"), -float("inf")):
        with pytest.raises(ConfigError, match=f"a number, 0 or more, got {number}"):
            row(float, low=0).from_toml(number, Path("/"))
        with pytest.raises(ConfigError, match=f"a number, got {number}"):
            row(float).from_toml(number, Path("/"))


def test_every_number_has_limits() -> None:
    """What config accepts serve can compute with: 1e300 seconds are no time to wait."""
    for each in SETTINGS:
        if each.kind in (int, float):
            assert each.low is not None
            assert each.high is not None
            with pytest.raises(ConfigError, match=f"{each.name}: expected .* from {each.low:g} to [0-9]+, got"):
                each.from_toml(each.kind(1e300), Path("/"))


def test_a_home_of_nobody_is_refused() -> None:
    """`~name` of somebody who is not here is no path."""
    with pytest.raises(ConfigError, match="x: expected a path, got '~nosuch/x'"):
        row(Path).from_text("~nosuch/x")
