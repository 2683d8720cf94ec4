"""A message of a megabyte costs the daemon little: no field of it can become many times its size."""

import re
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import msgspec
import pytest

from tests.e2e.conftest import RawDealer, dealer_to
from tests.unit.sidecar.test_frame import file_of, picture_of, png_chunk
from wilor_sidecar.daemon_process import DaemonProcess

_MOST_BYTES = 20e6
_MOST_S = 0.010
_TRIES = 10
"""The best of so many: the machine has other things to do, too."""

_MANY = 1_000_000
_ARRAY, _MAP = b"\xdd" + _MANY.to_bytes(4, "big"), b"\xdf" + (_MANY // 3).to_bytes(4, "big")
_BOMBS = {
    "arrays": _ARRAY + b"\x90" * _MANY,
    "maps": _ARRAY + b"\x80" * _MANY,
    "map_of_maps": _MAP + b"\xa1x\x80" * (_MANY // 3),
    "texts": _ARRAY + b"\xa0" * _MANY,
    "floats": b"\xdd" + (_MANY // 5).to_bytes(4, "big") + b"\xca\0\0\0\0" * (_MANY // 5),
    "nested_arrays": b"\xdd\0\0\x03\xe8" * 200_000,
}
_FIELDS = ("later", "source", "hands", "want", "id", "image_size")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the highest memory in use from /proc")


@pytest.fixture(scope="module")
def target() -> Iterator[DaemonProcess]:
    """A daemon of this file's own, whose memory nobody else moves."""
    with DaemonProcess() as daemon:
        daemon.wait_until("ready")
        yield daemon
        assert daemon.stop() == 0


@pytest.fixture
def attacker(target: DaemonProcess) -> Iterator[RawDealer]:
    """A raw connection to it, over which something large has gone before: its buffers are there."""
    with dealer_to(target) as dealer:
        dealer.send(bytes(_MANY))
        dealer.reply()
        yield dealer


def body_of(field: str, bomb: bytes) -> bytes:
    """A request that is refused, with the bomb as one of its fields."""
    fields = {"op": "estimate", "id": 1, "v": 1, "source": "cam", "frame": 1, "captured_at_ns": 1, "hands": []}
    return msgspec.msgpack.encode({**fields, field: msgspec.Raw(bomb)})


def memory_of(pid: int) -> tuple[int, int]:
    """Bytes in memory now, and at most since `forget_highest`."""
    text = Path(f"/proc/{pid}/status").read_text()
    now, highest = (re.search(rf"{name}:\s+(\d+) kB", text) for name in ("VmRSS", "VmHWM"))
    assert now
    assert highest
    return int(now[1]) * 1024, int(highest[1]) * 1024


def forget_highest(pid: int) -> None:
    """Count the most memory in use from now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def cost_of(daemon: DaemonProcess, send: Callable[[], None]) -> tuple[float, float]:
    """Bytes that the daemon needed more than it had, at the most; and seconds until it had answered, at the best."""
    pid = daemon.process.pid
    forget_highest(pid)
    before, _ = memory_of(pid)
    times = []
    for _ in range(_TRIES):
        started = time.perf_counter()
        send()
        times.append(time.perf_counter() - started)
    return memory_of(pid)[1] - before, min(times)


@pytest.mark.parametrize("bomb", _BOMBS)
@pytest.mark.parametrize("field", _FIELDS)
def test_a_megabyte_of_small_values_costs_little(
    target: DaemonProcess, attacker: RawDealer, field: str, bomb: str
) -> None:
    """Under 20 MB and 10 ms, whichever field it is in."""
    body = body_of(field, _BOMBS[bomb])

    def send() -> None:
        attacker.send(body)
        assert attacker.reply()["error"]["code"] == "bad_request"

    needed, took_s = cost_of(target, send)
    print(f"{field} {bomb}: {needed / 1e6:.1f} MB, {took_s * 1e3:.1f} ms")
    assert needed < _MOST_BYTES
    assert took_s < _MOST_S


def test_a_picture_that_unpacks_to_much_costs_little(
    target: DaemonProcess, attacker: RawDealer, estimate_fields: Callable[..., dict[str, Any]]
) -> None:
    """A file of 150 kB with notes of 150 MB, and another that is refused: under 20 MB and 10 ms."""
    note = png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000), 9))
    flat = file_of(picture_of(1) * 0, "png")
    bomb = {"crop": {"codec": "png", "data": flat[:33] + note * 150 + flat[33:]}, "side": "right"}
    bad = {"crop": {"codec": "png", "data": b"no picture"}, "side": "right"}
    body = msgpack.packb({"v": 1, "id": 1, **estimate_fields(hands=[bomb, bad])})

    def send() -> None:
        attacker.send(body)
        assert "hands[1].crop" in attacker.reply()["error"]["message"]

    needed, took_s = cost_of(target, send)
    print(f"{len(body)} bytes of pictures: {needed / 1e6:.1f} MB, {took_s * 1e3:.1f} ms")
    assert needed < _MOST_BYTES
    assert took_s < _MOST_S


_READ_WITHOUT_TYPES = """
import re, sys, msgspec
def highest(): return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
body = sys.stdin.buffer.read()
before = highest()
try:
    msgspec.msgpack.decode(body)
except Exception:
    pass
print(highest() - before)
"""


def test_control_reading_without_types_costs_much() -> None:
    """Control: the same bytes, read as whatever they are, need more than 20 MB."""
    run = subprocess.run(
        [sys.executable, "-c", _READ_WITHOUT_TYPES],
        input=body_of("later", _BOMBS["maps"]),
        capture_output=True,
        timeout=60,
        check=True,
    )
    print(f"without types: {int(run.stdout) / 1e6:.0f} MB")
    assert int(run.stdout) > _MOST_BYTES
