"""What the process uses and may use."""

import ctypes
import gc
import os
import resource
import subprocess
import sys
from typing import Any

import pytest

from wilor_sidecar.process_memory import MemoryGuard, footprint_bytes, peak_bytes

_RAISE = (
    "import resource; from wilor_sidecar.process_limits import raise_file_limit; "
    "print(raise_file_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
)


def limits_after(soft: int, hard: int) -> list[int]:
    """What `raise_file_limit` returns in a process that starts with these limits, and the limits then."""
    result = subprocess.run(
        [sys.executable, "-c", _RAISE],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(word) for word in result.stdout.split()]


@pytest.mark.parametrize(
    ("soft", "hard", "raised"), [(256, 20_000, 8192), (256, 1024, 1024), (256, 256, 256), (9000, 20_000, 9000)]
)
def test_the_limit_of_files_is_raised_as_far_as_it_may(soft: int, hard: int, raised: int) -> None:
    """To 8192, or to the hard limit where that is lower; never down."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < hard:
        pytest.skip(f"this process may not set a hard limit of {hard}")
    assert limits_after(soft, hard) == [raised, raised, hard]


def test_the_footprint_follows_what_is_used() -> None:
    """Memory that is taken and touched shows, and shows no more when it is given back."""
    size = 200 << 20
    gc.collect()
    before = footprint_bytes()
    block = bytearray(b"x") * size
    taken = footprint_bytes()
    del block
    assert 0.9 * size < taken - before < 1.2 * size
    assert footprint_bytes() - before < 0.2 * size


class _DarwinLibrary:
    """The one function of a Mac's C library that is called: each number of the answer is its own place."""

    def proc_pid_rusage(self, pid: int, flavour: int, buffer: Any) -> int:
        assert (pid, flavour) == (os.getpid(), 4)
        usage = buffer._obj
        assert ctypes.sizeof(usage) == 296, "rusage_info_v4, whole: the kernel writes all of it"
        usage.numbers[:] = range(35)
        return 0


def test_on_a_mac_the_footprint_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Now and at most: what Activity Monitor shows, with the GPU's memory, which is not resident."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: _DarwinLibrary())
    assert (footprint_bytes(), peak_bytes()) == (7, 28)


def test_a_set_limit_is_kept() -> None:
    """At the limit there is no complaint; a byte above there is, with both numbers."""
    guard = MemoryGuard(2_000_000_000)
    guard.settle(123)
    assert guard.complaint(2_000_000_000) == ""
    assert guard.complaint(2_000_000_001) == "2000 MB of memory are in use, 2000 MB may be"


def test_without_a_limit_it_follows_from_the_first_need() -> None:
    """Twice as much as when it was warm, and 1 GiB; before that anything goes, and later needs change nothing."""
    guard = MemoryGuard()
    assert guard.complaint(1 << 50) == ""
    guard.settle(3 << 30)
    guard.settle(30 << 30)
    assert guard.complaint(7 << 30) == ""
    assert guard.complaint((7 << 30) + 1)
