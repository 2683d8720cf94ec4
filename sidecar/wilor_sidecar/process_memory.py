"""How much memory this process has and has had, as its system reckons it, and when that is too much."""

import ctypes
import os
import sys
from pathlib import Path

import psutil

_GIB = 1 << 30


def footprint_bytes() -> int:
    """Resident bytes on Linux; on a Mac the physical footprint, which counts what the GPU holds and Activity Monitor
    shows.
    """
    return _darwin_usage(_FOOTPRINT) if sys.platform == "darwin" else int(psutil.Process().memory_info().rss)


def peak_bytes() -> int:
    """The most that `footprint_bytes` has been.

    On Linux not getrusage's figure: that one a child inherits from the process that started it, across exec.
    """
    if sys.platform == "darwin":
        return _darwin_usage(_HIGHEST_FOOTPRINT)
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) * 1024


class MemoryGuard:
    """A limit that a sound daemon never reaches.

    Attributes:
        limit_bytes: the limit; 0 until it is known.
    """

    def __init__(self, limit_bytes: int = 0) -> None:
        """Begin.

        Args:
            limit_bytes: the limit; 0: found out with `settle`.
        """
        self.limit_bytes = limit_bytes

    def settle(self, warm_bytes: int) -> None:
        """Once, when every batch size has run: without a limit it becomes twice as much as was needed and 1 GiB."""
        self.limit_bytes = self.limit_bytes or 2 * warm_bytes + _GIB

    def complaint(self, now_bytes: int) -> str:
        """Why the process should end; empty while it may go on."""
        if not self.limit_bytes or now_bytes <= self.limit_bytes:
            return ""
        return f"{now_bytes / 1e6:.0f} MB of memory are in use, {self.limit_bytes / 1e6:.0f} MB may be"


_RUSAGE_INFO_V4 = 4
_FOOTPRINT, _HIGHEST_FOOTPRINT = 7, 28
"""Places of ri_phys_footprint and ri_lifetime_max_phys_footprint among the numbers."""


class _ResourceUsage(ctypes.Structure):
    """rusage_info_v4 of macOS's <sys/resource.h>: 296 bytes, all of which the kernel writes."""

    _fields_ = (("uuid", ctypes.c_uint8 * 16), ("numbers", ctypes.c_uint64 * 35))


def _darwin_usage(place: int) -> int:
    """One number of this process's resource usage, on a Mac; 0 where it is not told."""
    usage = _ResourceUsage()
    if ctypes.CDLL(None).proc_pid_rusage(os.getpid(), _RUSAGE_INFO_V4, ctypes.byref(usage)) != 0:
        return 0
    return int(usage.numbers[place])
