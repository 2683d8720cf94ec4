"""The command where only the thin client was installed."""

import subprocess
import sys

import pytest

_WITHOUT = "import sys; sys.modules[sys.argv[1]] = None; del sys.argv[1]; from wilor_sidecar.entry import run; run()"


def run_without(module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command where a module is missing."""
    command = [sys.executable, "-c", _WITHOUT, module, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("module", ["PIL", "psutil"])
def test_a_missing_part_is_told_with_what_to_install(module: str) -> None:
    """In one sentence, with the status of a thing that trying again does not mend."""
    run = run_without(module, "status")
    assert run.returncode == 78
    assert run.stderr.startswith(f"wilor-sidecar: {module} is missing: only the client is installed here.")
    assert "'wilor-sidecar[daemon,camera]'" in run.stderr
    assert "Traceback" not in run.stderr


def test_launchd_does_not_try_again_and_again() -> None:
    """An agent whose environment was built anew without the daemon's parts stays away, as with a wrong setting."""
    assert run_without("psutil", "serve", "--supervisor=launchd").returncode == 0


def test_a_missing_part_of_ours_is_a_mistake() -> None:
    """That is no matter of what was installed: it is shown as what it is."""
    run = run_without("wilor_sidecar.cli.serve", "status")
    assert run.returncode == 1
    assert "Traceback" in run.stderr
