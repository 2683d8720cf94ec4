"""What of the agent's own may be kept from launchd."""

import sys
from pathlib import Path

import pytest

from wilor_sidecar.agent.needs import agent_obstacles
from wilor_sidecar.agent.own_settings import agent_settings
from wilor_sidecar.config.file import default_config_file
from wilor_sidecar.weights.model_config import CONFIG_FILE


def settings_file(home: Path) -> Path:
    """Where this system has it."""
    return default_config_file({}, platform=sys.platform, home=home)


def told(home: Path, program: Path, settings: str = "") -> list[str]:
    """What is in the way, on a Mac: as "thing: certain" or "thing: perhaps"."""
    file = settings_file(home)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(settings)
    found = agent_obstacles(program, agent_settings({"HOME": str(home)}, {}), platform="darwin", home=home)
    return [f"{each.what}: {'certain' if each.is_certain else 'perhaps'}" for each in found]


def make_environment(folder: Path, python: Path) -> Path:
    """A program in an environment that a Python has made; returns the program."""
    bin_folder = folder / "bin"
    bin_folder.mkdir(parents=True)
    python.parent.mkdir(parents=True, exist_ok=True)
    python.touch()
    (bin_folder / "python").symlink_to(python)
    (bin_folder / "wilor-sidecar").touch()
    return bin_folder / "wilor-sidecar"


def test_a_program_by_its_link(tmp_path: Path) -> None:
    """The link that the shell finds is no matter, but where it leads to, once."""
    python = tmp_path / "Documents" / "python3.13"
    program = make_environment(tmp_path / "Documents" / "checkout" / ".venv", python)
    link = tmp_path / ".local" / "bin" / "wilor-sidecar"
    link.parent.mkdir(parents=True)
    link.symlink_to(program)
    assert told(tmp_path, link) == ["the program: certain"]


def test_its_python_elsewhere(tmp_path: Path) -> None:
    """An environment in a free place does not begin without the Python that made it."""
    free = make_environment(tmp_path / "a", tmp_path / "pythons" / "python3.13")
    assert told(tmp_path, free) == []
    kept = make_environment(tmp_path / "b", tmp_path / "Downloads" / "python3.13")
    assert told(tmp_path, kept) == ["its Python: certain"]


def test_an_editable_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code lies in the checkout, wherever its environment is."""
    monkeypatch.setattr("wilor_sidecar.__file__", str(tmp_path / "Desktop" / "checkout" / "__init__.py"))
    assert told(tmp_path, Path(sys.executable).with_name("wilor-sidecar")) == ["its code: certain"]
    assert told(tmp_path, make_environment(tmp_path / "a", tmp_path / "python3.13")) == []


def test_whatever_settings_name(tmp_path: Path) -> None:
    """Each by the name of its setting; a model in the folder of models is no second thing, unless it is a link."""
    program = make_environment(tmp_path / "a", tmp_path / "python3.13")
    models, documents = tmp_path / "models", tmp_path / "Documents"
    (documents / "mine").mkdir(parents=True)
    (documents / "mine" / CONFIG_FILE).touch()
    models.mkdir()
    (models / "linked").symlink_to(documents / "mine")
    assert told(tmp_path, program, f'model = "{documents / "mine"}"') == ["model: certain"]
    assert told(tmp_path, program, f'models_dir = "{models}"\nmodel = "{models / "linked"}"') == ["model: certain"]
    inside = f'models_dir = "{documents}"\nmodel = "{documents / "mine"}"'
    assert told(tmp_path, program, inside) == ["models_dir: certain"]
    for name in ("run_dir", "log_file", "keys_dir"):
        assert told(tmp_path, program, f'{name} = "{documents / "x"}"') == [f"{name}: certain"]
    assert told(tmp_path, program, 'log_file = "/Volumes/Logs/daemon.log"') == ["log_file: perhaps"]


def test_the_settings_file_itself(tmp_path: Path) -> None:
    """People keep such files in a folder that a cloud copies, and lay a link."""
    program = make_environment(tmp_path / "a", tmp_path / "python3.13")
    kept = tmp_path / "Library" / "Mobile Documents" / "config.toml"
    kept.parent.mkdir(parents=True)
    file = settings_file(tmp_path)
    file.parent.mkdir(parents=True)
    file.symlink_to(kept)
    assert told(tmp_path, program) == ["the settings file: certain"]
