"""What the agent's files under launchd tell of its last end."""

import os
from pathlib import Path

import pytest

from wilor_sidecar.agent.launchd_files import LaunchdFiles

DENIED = """Exception ignored in running getpath:
PermissionError: [Errno 1] Operation not permitted: '/Users/you/Documents/wilor-sidecar/.venv/pyvenv.cfg'
Fatal Python error: error evaluating path
Python runtime state: core initialized

Current thread 0x00000001f1a2b3c4 (most recent call first):
  <no Python frame>
"""
"""As Python says it, of which people report."""


@pytest.fixture
def files(tmp_path: Path) -> LaunchdFiles:
    """Of somebody whose Python could not read its environment."""
    files = LaunchdFiles(tmp_path)
    files.folder.mkdir(parents=True)
    files.output.write_text("something older\n" * 1000 + DENIED)
    return files


def test_a_denial_is_recognised(files: LaunchdFiles) -> None:
    """At the end of what was printed, also behind a log of the days before."""
    assert files.tells_of_denial
    files.log.touch()
    os.utime(files.log, (0, 0))
    assert files.tells_of_denial


def test_an_older_denial_counts_no_more(files: LaunchdFiles) -> None:
    """When a daemon has written its log since, or something else was printed."""
    files.log.touch()
    os.utime(files.output, (0, 0))
    assert not files.tells_of_denial
    files.log.unlink()
    files.output.write_text(DENIED + "something newer\n" * 1000)
    assert not files.tells_of_denial


def test_without_any_output(tmp_path: Path) -> None:
    """Nothing is claimed."""
    assert not LaunchdFiles(tmp_path).tells_of_denial
