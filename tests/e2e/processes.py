"""What a process uses, read from outside."""

from pathlib import Path

import psutil


def cpu_s(pid: int) -> float:
    """Seconds that its threads have computed. From the scheduler, to the nanosecond: a process that does next to
    nothing does not show in the usual count of ticks.
    """
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def resident_bytes(pid: int) -> int:
    """What it has in memory."""
    return int(psutil.Process(pid).memory_info().rss)


def open_files(pid: int) -> int:
    """Its descriptors."""
    return int(psutil.Process(pid).num_fds())


def threads(pid: int) -> int:
    """How many it has."""
    return int(psutil.Process(pid).num_threads())
