"""The daemon on a host whose sleep is told by a file, and whose device may need a moment, or more, after it.

Run as a module it is the program. Its network is the real one, or one that fails when it is told to.
"""

import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.e2e.faulty_daemon import GPU_TIMEOUT, FaultyNetwork
from wilor_sidecar import host_sleep
from wilor_sidecar.cli import serve
from wilor_sidecar.cli.main import main
from wilor_sidecar.daemon_process import DaemonProcess

_ROOT = Path(__file__).parents[2]


class SleepyHost:
    """What the test says of the host.

    Attributes:
        folder: with a file for each thing said.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def sleep(self, hours: int) -> None:
        """It has slept for so long since it was booted."""
        self._say("asleep_ns", hours * 3600 * 10**9)

    def break_device(self, times: int) -> None:
        """The device fails so often when the network is tested."""
        self._say("failures", times)

    def asleep_ns(self) -> int:
        """See `host_sleep.asleep_ns`."""
        return self._said("asleep_ns")

    def device_fails(self) -> bool:
        """Whether it fails this time."""
        left = self._said("failures")
        self.break_device(max(0, left - 1))
        return left > 0

    def _say(self, what: str, number: int) -> None:
        new = self.folder / f"{what}.new"
        new.write_text(str(number))
        new.replace(self.folder / what)

    def _said(self, what: str) -> int:
        try:
            return int((self.folder / what).read_text())
        except FileNotFoundError:
            return 0


class SleepyNetwork(FaultyNetwork):
    """Fails on a black crop, which is the daemon's own test, as often as it was told to."""

    def __init__(self, host: SleepyHost) -> None:
        super().__init__()
        self._host = host

    def __call__(self, crops_rgb: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        if not crops_rgb.any() and self._host.device_fails():
            raise RuntimeError(GPU_TIMEOUT)
        return super().__call__(crops_rgb)


def sleepy_daemon(host: SleepyHost, *, network: str) -> DaemonProcess:
    """The daemon, not yet started.

    Args:
        host: on which it runs.
        network: "real" or "faulty".
    """
    environment = {
        "PYTHONPATH": str(_ROOT),
        "SLEEPY_HOST": str(host.folder),
        "SLEEPY_NETWORK": network,
        "FAULTY_DELAY_MS": "0",
        "FAULTY_LOAD": "",
        "FAULTY_DEVICE": "cpu",
    }
    return DaemonProcess(environment=environment, module="tests.e2e.sleepy_daemon")


if __name__ == "__main__":
    this_host = SleepyHost(Path(os.environ["SLEEPY_HOST"]))
    host_sleep.asleep_ns = this_host.asleep_ns
    if os.environ["SLEEPY_NETWORK"] == "faulty":
        serve._load = lambda model: SleepyNetwork(this_host)
    sys.exit(main())
