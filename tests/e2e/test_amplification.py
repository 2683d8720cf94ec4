"""A message of a megabyte costs the daemon little: no field of it can become many times its size.

What it may take follows from this machine at this moment: `_UNITS` times what it costs to carry as many bytes that are
one value, and to step over the values once. The daemon steps over them twice, for a request's id and for the request.
"""

import re
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.e2e.conftest import RawDealer, dealer_to
from tests.unit.sidecar.test_frame import file_of, picture_of, png_chunk
from wilor_sidecar.daemon_process import DaemonProcess

_MOST_BYTES = 20e6
_UNITS = 6
_TRIES = 20
"""By turns, and the best of each counts: the machine has other things to do, too."""

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


class _Nothing(msgspec.Struct):
    """Reads any map and keeps none of it."""


def step_over(body: bytes) -> None:
    """Go over a map's values without building them, until they are nested too deep."""
    with suppress(RecursionError):
        msgspec.msgpack.decode(body, type=_Nothing)


def needed_by(daemon: DaemonProcess, act: Callable[[], object]) -> int:
    """Bytes that the daemon needed more than it had, at the most."""
    pid = daemon.process.pid
    forget_highest(pid)
    before, _ = memory_of(pid)
    act()
    return memory_of(pid)[1] - before


def best_times_s(*acts: Callable[[], object]) -> list[float]:
    """The shortest time of each."""
    times: list[list[float]] = [[] for _ in acts]
    for _ in range(_TRIES):
        for act, took_s in zip(acts, times, strict=True):
            started = time.perf_counter()
            act()
            took_s.append(time.perf_counter() - started)
    return [min(took_s) for took_s in times]


def refused(attacker: RawDealer, body: bytes) -> Callable[[], None]:
    """Sends it and hears that it is no good."""

    def send() -> None:
        attacker.send(body)
        assert attacker.reply()["error"]["code"] == "bad_request"

    return send


@pytest.mark.parametrize("bomb", _BOMBS)
@pytest.mark.parametrize("field", _FIELDS)
def test_a_megabyte_of_small_values_costs_little(
    target: DaemonProcess, attacker: RawDealer, field: str, bomb: str
) -> None:
    """Under 20 MB, and a few times what its bytes cost, whichever field it is in."""
    body = body_of(field, _BOMBS[bomb])
    plain = body_of("later", msgspec.msgpack.encode(bytes(len(_BOMBS[bomb]))))
    needed = needed_by(target, refused(attacker, body))
    took_s, carried_s, stepped_s = best_times_s(
        refused(attacker, body), refused(attacker, plain), lambda: step_over(body)
    )
    units = took_s / (carried_s + stepped_s)
    print(f"{field} {bomb}: {needed / 1e6:.1f} MB, {took_s * 1e3:.1f} ms, {units:.2f} times the unit")
    assert needed < _MOST_BYTES
    assert units < _UNITS


def test_a_picture_that_unpacks_to_much_costs_little(
    target: DaemonProcess, attacker: RawDealer, estimate_fields: Callable[..., dict[str, Any]]
) -> None:
    """A file of 150 kB with notes of 150 MB: under 20 MB, and a few times what as many plain bytes cost."""
    note = zlib.compress(bytes(1_000_000), 9)

    def with_notes(kind: bytes) -> bytes:
        """Refused for its second picture, so that nothing is computed."""
        flat = file_of(picture_of(1) * 0, "png")
        data = flat[:33] + png_chunk(kind, b"k\0\0" + note) * 150 + flat[33:]
        crops = [{"codec": "png", "data": data}, {"codec": "png", "data": b"no picture"}]
        hands = [{"crop": crop, "side": "right"} for crop in crops]
        return msgspec.msgpack.encode({"v": 1, "id": 1, **estimate_fields(hands=hands)})

    packed, plain = (refused(attacker, with_notes(kind)) for kind in (b"zTXt", b"noTE"))
    needed = needed_by(target, packed)
    took_s, plain_s = best_times_s(packed, plain)
    print(f"{needed / 1e6:.1f} MB, {took_s * 1e3:.1f} ms, {took_s / plain_s:.2f} times the unit")
    assert needed < _MOST_BYTES
    assert took_s / plain_s < _UNITS


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


def test_control_reading_without_types_takes_long(attacker: RawDealer) -> None:
    """Control: the same bytes, read as whatever they are, take more than a few times the unit."""
    body = body_of("later", _BOMBS["maps"])
    plain = body_of("later", msgspec.msgpack.encode(bytes(len(body))))
    built_s, carried_s, stepped_s = best_times_s(
        lambda: msgspec.msgpack.decode(body), refused(attacker, plain), lambda: step_over(body)
    )
    units = built_s / (carried_s + stepped_s)
    print(f"without types: {built_s * 1e3:.0f} ms, {units:.1f} times the unit")
    assert units > _UNITS
