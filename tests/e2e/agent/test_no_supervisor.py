"""Where a user has no supervisor to talk to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="launchd is there on every Mac")
def test_nothing_is_written_where_nobody_would_read_it(tmp_path: Path) -> None:
    """The manager is asked before the file is written; what would be written can be printed all the same."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}

    def agent(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "wilor_sidecar", "agent", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)

    installed = agent("install")
    assert installed.returncode == 1
    assert installed.stderr.startswith(
        ("wilor-sidecar: this user has no systemd manager", "wilor-sidecar: systemctl: ")
    )
    printed = agent("install", "--print")
    assert printed.stdout.startswith("[Unit]\n")
    assert printed.stderr == f"# {tmp_path / '.config' / 'systemd' / 'user' / 'wilor-sidecar.service'}\n"
    assert not (tmp_path / ".config").exists()
