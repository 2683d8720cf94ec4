"""The most memory that a process has had resident.

Not getrusage's figure on Linux: a child inherits that from the parent that started it, across exec.
"""

import os
import resource
import sys
from pathlib import Path


def peak_bytes(pid: int) -> int | None:
    """Of a process of this user.

    Args:
        pid: of the process.

    Returns:
        None where only the process itself can tell: on a Mac.
    """
    if sys.platform != "linux":
        return None
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(peak) * 1024


def own_peak_bytes() -> int:
    """Of this process."""
    return peak_bytes(os.getpid()) or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on a Mac
