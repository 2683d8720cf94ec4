"""The wheel that people install: everything is in it, and works far from this repository."""

import os
import re
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

import pytest

from .agent.linux_session import LinuxSession, linux_session

ROOT = Path(__file__).parents[2]
PARTS = "wilor-sidecar[daemon,camera]"
INSTALLERS = {
    "uv": ("tool", "install", "--reinstall", "--python", sys.executable),
    "pipx": ("install", "--force", "--python", sys.executable),
}


def run(*command: object, cwd: Path, variables: Mapping[str, str] | None = None) -> str:
    """Run a command to its good end, with nothing of this repository in its way."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "WILOR_"))}
    done = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        env={**environment, **(variables or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source archive."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    [built] = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_in_a_bare_environment(wheel: Path, tmp_path: Path) -> None:
    """Installed alone, it shows the demo with the embedded model, and the service."""
    venv.create(tmp_path / "env", with_pip=True)
    programs = tmp_path / "env" / "bin"
    run(programs / "pip", "install", "--quiet", f"{PARTS} @ {wheel.as_uri()}", cwd=tmp_path)
    where = run(programs / "python", "-c", "import wilor_sidecar; print(wilor_sidecar.__file__)", cwd=tmp_path)
    assert str(tmp_path) in where
    shown = run(programs / "wilor-sidecar", "demo", "--out", tmp_path / "pictures", cwd=tmp_path)
    assert "untrained" not in shown
    assert any((tmp_path / "pictures").iterdir())
    assert (Path(where.strip()).parent / "embedded" / "probe.json").is_file()
    if sys.platform in ("darwin", "linux"):
        printed = run(programs / "wilor-sidecar", "agent", "install", "--print", cwd=tmp_path)
        assert str(programs / "wilor-sidecar") in printed


@pytest.mark.slow
@pytest.mark.parametrize("name", INSTALLERS)
def test_the_agent_of_an_installed_tool(name: str, wheel: Path, tmp_path: Path) -> None:
    """As people install programs: the service starts the link that an upgrade leaves in its place."""
    venv.create(tmp_path / "env", with_pip=True)
    run(tmp_path / "env" / "bin" / "pip", "install", "--quiet", name, cwd=tmp_path)
    with linux_session("you") as session:

        def install() -> None:
            """Also over an older one, as an upgrade does."""
            installer = tmp_path / "env" / "bin" / name
            variables = {"HOME": str(session.home), **dict.fromkeys(("XDG_DATA_HOME", "XDG_STATE_HOME"), "")}
            run(installer, *INSTALLERS[name], f"{wheel}[daemon,camera]", cwd=tmp_path, variables=variables)

        install()
        program = session.home / ".local" / "bin" / "wilor-sidecar"
        assert "\nready: serving embedded" in agent(session, program, "install")
        assert f'ExecStart=:"{program}" serve' in session.unit.read_text()
        first = session.pid()
        install()
        assert f"{session.unit} is as it should be" in agent(session, program, "install")
        assert session.pid() == first, "the same version again is no reason to interrupt anybody"
        make_older(session.home)
        agent(session, program, "restart")
        older = session.pid()
        assert older not in (first, None)
        install()
        assert "wilor-sidecar 0.0.1 is still running: it is replaced by " in agent(session, program, "install")
        assert session.pid() not in (first, older, None)
        assert "\nready: serving embedded" in agent(session, program, "status")
        agent(session, program, "uninstall")
        assert not session.unit.exists()


def make_older(home: Path) -> None:
    """Let the installed program be of an older version. The installer may share the file: it is replaced."""
    [file] = home.rglob("site-packages/wilor_protocol/version.py")
    text = re.sub(r'(__version__ = )"[^"]*"', r'\1"0.0.1"', file.read_text())
    file.unlink()
    file.write_text(text)


def agent(session: LinuxSession, program: Path, *arguments: str) -> str:
    """Run `wilor-sidecar agent ...` of the installed tool, by name, as somebody in the session."""
    path = f"{program.parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["wilor-sidecar", "agent", *arguments],
        cwd=session.home,
        env={**session.environment, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
