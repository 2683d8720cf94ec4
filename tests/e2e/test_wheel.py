"""The wheel that people install: everything is in it, and works far from this repository."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: object, cwd: Path) -> str:
    """Run a command to its good end, with nothing of this repository in its way."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "WILOR_"))}
    done = subprocess.run(
        [str(each) for each in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_wheel_in_a_bare_environment(tmp_path: Path) -> None:
    """Built from the source archive and installed alone, it shows the demo with the embedded model, and the service."""
    run(sys.executable, "-m", "build", "--outdir", tmp_path / "dist", ROOT, cwd=tmp_path)
    [wheel] = (tmp_path / "dist").glob("*.whl")
    venv.create(tmp_path / "env", with_pip=True)
    programs = tmp_path / "env" / "bin"
    run(programs / "pip", "install", "--quiet", f"wilor-sidecar[daemon,camera] @ {wheel.as_uri()}", cwd=tmp_path)
    where = run(programs / "python", "-c", "import wilor_sidecar; print(wilor_sidecar.__file__)", cwd=tmp_path)
    assert str(tmp_path) in where
    shown = run(programs / "wilor-sidecar", "demo", "--out", tmp_path / "pictures", cwd=tmp_path)
    assert "untrained" not in shown
    assert any((tmp_path / "pictures").iterdir())
    if sys.platform in ("darwin", "linux"):
        printed = run(programs / "wilor-sidecar", "agent", "install", "--print", cwd=tmp_path)
        assert str(programs / "wilor-sidecar") in printed
