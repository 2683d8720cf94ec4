"""Which program the supervisor is given."""

from pathlib import Path

import pytest

from wilor_sidecar.agent.errors import AgentError
from wilor_sidecar.agent.program import find_program


def make(path: Path) -> Path:
    """A program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_link_that_outlives_an_upgrade(tmp_path: Path) -> None:
    """As Homebrew, uv and pipx lay it: the link on the path, not the folder with a version in its name."""
    program = make(tmp_path / "Cellar" / "0.1.0" / "bin" / "wilor-sidecar")
    link = tmp_path / "bin" / "wilor-sidecar"
    link.parent.mkdir()
    link.symlink_to(program)
    for called in (program, link):
        assert find_program(str(called), "/nowhere/python", str(link.parent)) == link


def test_another_installation_on_the_path(tmp_path: Path) -> None:
    """The program that was called is the one that is installed, not whichever the shell would find."""
    called, other = make(tmp_path / "a" / "wilor-sidecar"), make(tmp_path / "b" / "wilor-sidecar")
    assert find_program(str(called), "/nowhere/python", str(other.parent)) == called


def test_called_as_a_module(tmp_path: Path) -> None:
    """`python -m wilor_sidecar` means the program beside that interpreter."""
    program = make(tmp_path / "bin" / "wilor-sidecar")
    assert find_program("/x/wilor_sidecar/__main__.py", str(tmp_path / "bin" / "python"), "") == program


def test_a_relative_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A supervisor needs an absolute path."""
    program = make(tmp_path / "bin" / "wilor-sidecar")
    monkeypatch.chdir(tmp_path)
    assert find_program("bin/wilor-sidecar", "/nowhere/python", "") == program


def test_no_program(tmp_path: Path) -> None:
    """Without an installed program there is nothing to start."""
    with pytest.raises(AgentError, match="install"):
        find_program("/x/__main__.py", str(tmp_path / "python"), "")


def test_a_program_in_a_cache(tmp_path: Path) -> None:
    """What `uvx` or `pipx run` has made for the moment is no program for each morning; a marked environment is."""
    passing = make(tmp_path / "cache" / "archive-v0" / "x1" / "bin" / "wilor-sidecar")
    (tmp_path / "cache" / "CACHEDIR.TAG").touch()
    with pytest.raises(AgentError, match="may be gone tomorrow: install it for good"):
        find_program(str(passing), "/nowhere/python", "")
    lasting = make(tmp_path / "tools" / "wilor-sidecar" / "bin" / "wilor-sidecar")
    (tmp_path / "tools" / "wilor-sidecar" / "CACHEDIR.TAG").touch()
    assert find_program(str(lasting), "/nowhere/python", "") == lasting
