"""The examples do what they say; the Swift tests play the same stories to both languages' examples."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from wilor_protocol.address import RUN_VARIABLE

_ROOT = Path(__file__).parents[2]
_EXAMPLE = _ROOT / "clients/python/examples/pinch_to_click.py"
_CAMERA = _ROOT / "clients/swift/Tests/HandPoseClientTests/Python/gestures.py"
_WAIT_S = 60
_GONE_AFTER_MS = 2000
"""Longer than a busy machine lets anybody wait for a frame that was sent."""


@pytest.mark.parametrize(
    ("story", "clicks"),
    [
        ("pinch twice", ["down", "up"] * 2),
        ("leave", ["down", "up", "down", "up"]),  # the last one because camera and daemon are gone
        ("two hands", ["down", "up"]),
        ("restart", ["down", "up"] * 3),
    ],
)
def test_pinch_to_click_presses_and_releases(short_dir: Path, story: str, clicks: list[str]) -> None:
    """Each story's clicks and no others: no phantom click, and no button stays pressed."""
    environment = {**os.environ, RUN_VARIABLE: str(short_dir)}
    camera = subprocess.Popen(
        [sys.executable, str(_CAMERA), str(short_dir), "cam", story],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with camera:
        assert camera.stdin is not None
        assert camera.stdout is not None
        assert camera.stdout.readline() == "ready\n"
        command = [sys.executable, str(_EXAMPLE), "cam", "right", str(_GONE_AFTER_MS)]
        example = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        with example:
            assert example.stdout is not None
            patience = threading.Timer(_WAIT_S, example.kill)
            patience.start()
            for click in clicks:
                assert example.stdout.readline().strip() == click
                print("next", file=camera.stdin, flush=True)
            patience.cancel()
            camera.stdin.close()
            assert camera.wait(_WAIT_S) == 0
            example.kill()
            assert example.stdout.read() == ""
