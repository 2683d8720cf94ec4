"""The Homebrew formula, read by Ruby; Homebrew itself is a stand-in."""

import hashlib
import json
import plistlib
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wilor_sidecar.agent.definitions import LABEL

_ROOT = Path(__file__).parents[3]
_ARCHIVE = "wilor_sidecar-1.2.3.tar.gz"

pytestmark = pytest.mark.skipif(shutil.which("ruby") is None, reason="Ruby, which reads the formula, is not installed")


@pytest.fixture
def formula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the formula says that `make dist` lays beside an archive."""
    (tmp_path / _ARCHIVE).write_bytes(b"the archive")
    monkeypatch.setattr(sys, "argv", ["formula.py", str(tmp_path)])
    runpy.run_path(str(_ROOT / "launchd" / "formula.py"), run_name="__main__")
    command = ["ruby", "-w", str(Path(__file__).with_name("stand_in_homebrew.rb")), str(tmp_path / "wilor-sidecar.rb")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def test_it_names_the_archive(formula: dict[str, Any], tmp_path: Path) -> None:
    """Its address, which is no index's, digest, licence and requirements; and it has a test."""
    facts = formula["facts"]
    assert facts["url"] == [(tmp_path / _ARCHIVE).as_uri()]
    assert facts["sha256"] == [hashlib.sha256(b"the archive").hexdigest()]
    assert facts["license"] == ["MIT"]
    assert {"arch": "arm64"} in facts["depends_on"]
    assert "macos" in facts["depends_on"], "a version alone would allow Linux"
    assert {"macos": "sonoma"} in facts["depends_on"]
    assert facts["test"] == [True]


def test_it_installs_one_program(formula: dict[str, Any]) -> None:
    """Into an environment of its own, with what serves; a Python that it requires makes it."""
    make, install = formula["commands"]
    assert make[1:3] == ["-m", "venv"]
    assert make[0].replace("python", "python@") in formula["facts"]["depends_on"]
    assert install[-1].endswith("[daemon,camera]")
    assert formula["links"] == [str(Path(make[3]) / "bin" / "wilor-sidecar")]


def test_its_service_is_the_agent(formula: dict[str, Any]) -> None:
    """The same command by the same rules as in our own property list, by a path that outlives an upgrade."""
    keys = plistlib.loads((_ROOT / "launchd" / f"{LABEL}.plist").read_bytes())
    service = formula["service"]
    program, *arguments = service["run"]
    assert program == "/opt/homebrew/opt/wilor-sidecar/bin/wilor-sidecar"
    assert arguments == keys["ProgramArguments"][1:]
    assert service["keep_alive"] == {"successful_exit": keys["KeepAlive"]["SuccessfulExit"]}
    assert service["process_type"] == [keys["ProcessType"].lower()]
    assert service["log_path"] == service["error_log_path"]
