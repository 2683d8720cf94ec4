"""The command's first step, and where a part of the installation is missing."""

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
    [
        ("PIL", ("estimate",)),
        ("psutil", ("serve",)),
        ("rich", ("top",)),
        ("psutil", ("agent", "install")),
        ("huggingface_hub", ("setup", "--offline", "--accept-licences")),
    ],
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


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["status", "--help"], ["watch", "--help"]])
def test_a_command_needs_only_what_is_its_own(arguments: list[str]) -> None:
    """On the machine at the other end of a connection over TCP nothing of the daemon's has to be installed."""
    missing = ["PIL", "cv2", "huggingface_hub", "mlx", "prometheus_client", "psutil", "rich", "safetensors", "scipy"]
    without = f"import sys; sys.modules.update(dict.fromkeys({missing})); from wilor_sidecar.entry import run; run()"
    run = subprocess.run(
        [sys.executable, "-c", without, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    if arguments == ["--help"]:
        assert "status" in run.stdout
        assert "PIL is not installed" in " ".join(run.stdout.split())


def test_launchd_does_not_try_again_and_again() -> None:
    """An agent whose environment was built anew without the daemon's parts stays away, as with a wrong setting."""
    assert run_without("psutil", "serve", "--supervisor=launchd").returncode == 0


def test_a_missing_part_of_ours_is_a_mistake() -> None:
    """That is no matter of what was installed: it is shown as what it is."""
    run = run_without("wilor_sidecar.run_directory", "serve")
    assert run.returncode == 1
    assert "Traceback" in run.stderr
