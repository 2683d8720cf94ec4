"""The daemon's log file: what is in it, and what must never be."""

import base64
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import zmq
from numpy.typing import NDArray

from tests.e2e.conftest import RawDealer
from wilor_client import HandClient
from wilor_sidecar.daemon_process import DaemonProcess


def test_the_log_has_no_images_and_no_hands(
    tmp_path: Path, pixels: NDArray[np.uint8], estimate_fields: Callable[..., dict[str, Any]]
) -> None:
    """At the most talkative level, after good and bad requests: neither pixels nor key points, and mode 0600."""
    file = tmp_path / "logs" / "daemon.log"
    arguments = ["--log-level", "debug", "--log-file", str(file)]
    marked = os.urandom(64) * 3072
    with DaemonProcess(arguments=arguments) as daemon, zmq.Context() as context:
        daemon.wait_until("ready")
        with HandClient(daemon.requests_address, timeout_ms=20_000) as client:
            crop = np.frombuffer(marked, np.uint8).reshape(256, 256, 3)
            hand = client.estimate(crop, "left", box=(100, 100, 50), image_size=(640, 480)).hands[0]
        with context.socket(zmq.DEALER) as socket:
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(daemon.requests_address)
            dealer = RawDealer(socket)
            for bad in (marked[:-1], marked.decode("latin1"), {"codec": "png", "data": marked[:1000]}):
                assert not dealer.ask(**estimate_fields(hands=[{"crop": bad, "side": "right"}]))["ok"]
            assert not dealer.ask(**estimate_fields(source=marked.decode("latin1")))["ok"]
            dealer.send(marked)
            assert not dealer.reply()["ok"]
            dealer.send(msgpack.packb(marked))
            assert not dealer.reply()["ok"]
        assert daemon.stop() == 0
        assert daemon.log() == ""
    text = file.read_text()
    assert "ready: serving" in text
    assert text.count("a client sent what cannot be answered") in (5, 6)  # the sixth after ten seconds
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for form in forms_of(marked[:64]):
        assert form not in text
    assert hand.keypoints is not None
    assert hand.keypoints_2d is not None
    for number in (*hand.keypoints.flat, *hand.keypoints_2d.flat):
        assert f"{number:.4f}" not in text


def forms_of(data: bytes) -> list[str]:
    """How some bytes could stand in a text."""
    return [
        data[:16].hex(),
        repr(data[:16])[2:-1],
        data[:16].decode("latin1"),
        base64.b64encode(data[:15]).decode(),
        ", ".join(map(str, data[:8])),
        " ".join(map(str, data[:8])),
    ]


def test_a_flood_of_malformed_requests_is_a_few_lines(tmp_path: Path) -> None:
    """Two thousand wrong requests are answered each, and told of in a handful of lines."""
    file = tmp_path / "daemon.log"
    with DaemonProcess(arguments=["--log-file", str(file)]) as daemon, zmq.Context() as context:
        daemon.wait_until("ready")
        with context.socket(zmq.DEALER) as socket:
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(daemon.requests_address)
            dealer = RawDealer(socket)
            for _ in range(2000):
                dealer.send(b"\xc1")
                assert dealer.reply()["error"]["code"] == "bad_request"
        assert daemon.stop() == 0
    assert 5 <= file.read_text().count("a client sent what cannot be answered") < 100
