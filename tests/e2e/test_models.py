"""The `models` command, and the daemon that serves what it chose."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.test_commands import command
from wilor_sidecar.daemon_process import DaemonProcess
from wilor_sidecar.weights.convert import convert
from wilor_sidecar.weights.seeded import write_seeded_checkpoint


@pytest.fixture
def models_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with one model, `small`, that the commands of this test find."""
    write_seeded_checkpoint(tmp_path / "small.safetensors", seed=1, width=64, depth=1)
    root = tmp_path / "models"
    root.mkdir()
    convert(tmp_path / "small.safetensors", root / "small")
    monkeypatch.setenv("WILOR_SIDECAR_MODELS_DIR", str(root))
    monkeypatch.setenv("WILOR_SIDECAR_CONFIG", os.devnull)
    return root


def served_by(daemon: Callable[[], DaemonProcess]) -> str:
    """The name of the model that a fresh daemon serves."""
    with daemon() as running:
        model = running.wait_until("ready").model
        assert running.stop() == 0
    assert model is not None
    return model.name


def test_what_was_chosen_is_served(models_dir: Path) -> None:
    """Without a setting the daemon serves the chosen model; after its removal the embedded one again."""

    def daemon() -> DaemonProcess:
        return DaemonProcess(None, environment={"WILOR_SIDECAR_MODELS_DIR": str(models_dir)})

    assert "small is served" in command("models", "use", "small").stdout
    assert served_by(daemon) == "small"
    assert command("models", "remove", "small").stdout == "removed small; embedded is the default now\n"
    assert served_by(daemon).startswith("embedded")


def test_nothing_in_the_working_directory_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that a command starts takes its libraries from where they are installed."""
    (tmp_path / "numpy.py").write_text("raise SystemExit('run')")
    monkeypatch.chdir(tmp_path)
    assert served_by(DaemonProcess).startswith("embedded")


def test_models_are_listed_for_people_and_programs(models_dir: Path) -> None:
    """Source, licence, dtype, size, hash, and which one is served."""
    for_people = command("models").stdout
    assert for_people.splitlines()[1] == "* embedded"
    assert "  small\n    from small.safetensors\n    float32, " in for_people
    command("models", "use", "small")
    embedded, small = json.loads(command("models", "--json").stdout)
    assert (embedded["name"], embedded["is_default"], small["is_default"]) == ("embedded", False, True)
    config = json.loads((models_dir / "small" / "config.json").read_text())
    assert small["sha256"] == config["weights_sha256"]
    assert "CC BY-NC-ND" in small["licence"]


def test_a_setting_that_comes_first_is_told(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever chooses a model that will not be served hears why."""
    monkeypatch.setenv("WILOR_SIDECAR_MODEL", "embedded")
    assert "environment WILOR_SIDECAR_MODEL says embedded" in command("models", "use", "small").stdout
    assert "served: embedded (environment WILOR_SIDECAR_MODEL)" in command("models").stdout


def test_a_model_that_is_not_there(models_dir: Path) -> None:
    """One line says so."""
    for action in ("use", "remove"):
        result = command("models", action, "nothing")
        assert (result.returncode, result.stderr.count("\n")) == (1, 1)
        assert f"nothing: there is no such model in {models_dir}" in result.stderr


def test_half_a_model_is_told_with_what_mends_it(models_dir: Path) -> None:
    """In the list and when it is chosen; the choice stays."""
    (models_dir / "small" / "model.safetensors").unlink()
    again = f"wilor-sidecar convert path/to/small.safetensors --out {models_dir}/small --overwrite"
    listing = command("models").stdout
    assert "cannot be used: " in listing
    assert f"to mend it: {again}" in listing
    result = command("models", "use", "small")
    assert result.returncode == 1
    assert "model.safetensors: not a sound safetensors file" in result.stderr
    assert again in result.stderr
    assert "served: embedded" in command("models").stdout


def test_the_folder_may_follow_the_action(models_dir: Path) -> None:
    """A flag means the same before and after the action."""
    elsewhere = str(models_dir.parent)
    for arguments in (("--models-dir", elsewhere, "use", "small"), ("use", "small", "--models-dir", elsewhere)):
        assert f"no such model in {elsewhere}" in command("models", *arguments).stderr
