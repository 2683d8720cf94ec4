"""The command where a part of the installation is missing, as where only the thin client was installed."""

import subprocess
import sys
from pathlib import Path

import pytest

_WITHOUT = "import sys; sys.modules[sys.argv[1]] = None; del sys.argv[1]; from wilor_sidecar.entry import run; run()"


def run_without(module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command where a module is missing."""
    command = [sys.executable, "-c", _WITHOUT, module, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("module", "command"),
    [("PIL", ("status",)), ("psutil", ("status",)), ("huggingface_hub", ("setup", "--offline", "--accept-licences"))],
)
def test_a_missing_part_is_told_with_what_to_install(
    module: str, command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one sentence, with the status of a thing that trying again does not mend; also when it is needed late."""
    monkeypatch.setenv("WILOR_SIDECAR_MODELS_DIR", str(tmp_path))
    run = run_without(module, *command)
    assert run.returncode == 78
    last = run.stderr.splitlines()[-1]
    assert last.startswith(f"wilor-sidecar: the package {module} is missing, which this command needs: ")
    assert last.endswith(f" -m pip install --editable '{Path(__file__).parents[3]}[daemon,camera]'")
    assert "Traceback" not in run.stderr


def test_launchd_does_not_try_again_and_again() -> None:
    """An agent whose environment was built anew without the daemon's parts stays away, as with a wrong setting."""
    assert run_without("psutil", "serve", "--supervisor=launchd").returncode == 0


def test_a_missing_part_of_ours_is_a_mistake() -> None:
    """That is no matter of what was installed: it is shown as what it is."""
    run = run_without("wilor_sidecar.cli.serve", "status")
    assert run.returncode == 1
    assert "Traceback" in run.stderr
