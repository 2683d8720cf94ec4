"""What clients see when the host has slept. The sleep is told by a file in place of the clocks; the rest is real."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.unit.sidecar.fakes import wait_for
from wilor_client import HandClient
from wilor_protocol.address import RUN_VARIABLE, requests_address
from wilor_sidecar.agent.waiting import ask
from wilor_sidecar.host_sleep import HostSleep, asleep_ns

WAIT_S = 60
DAEMON = """
import sys
from pathlib import Path
from wilor_sidecar import host_sleep
host_sleep.asleep_ns = lambda: int(Path(sys.argv[1]).read_text() or 0)
from wilor_sidecar.cli.main import main
sys.exit(main(["serve", "--model", "embedded"]))
"""


def test_only_a_sleep_counts() -> None:
    """A second or more that the host has slept is told once; less is none, nor is what came before."""
    slept_ns = 5_000_000_000
    sleep = HostSleep(lambda: slept_ns)
    assert sleep.slept_s() == 0
    slept_ns += 900_000_000
    assert sleep.slept_s() == 0
    slept_ns += 7_100_000_000
    assert [sleep.slept_s(), sleep.slept_s()] == [8.0, 0.0]


def test_the_clocks_of_this_host() -> None:
    """They can be read, and a host that is awake has not slept."""
    assert asleep_ns() >= -1_000_000
    assert HostSleep().slept_s() == 0


def test_after_a_sleep_the_network_is_tested_and_said_to_have_resumed(
    short_dir: Path, pixels: NDArray[np.uint8]
) -> None:
    """Once for each sleep, the daemon tests its network and counts it; it stays ready, and answers as before."""
    clock = short_dir / "clock"
    clock.write_text("0")
    with subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(clock)], env={**os.environ, RUN_VARIABLE: str(short_dir / "run")}
    ) as daemon:
        try:
            wait_for(lambda: (status := ask(short_dir / "run")) is not None and status.ready, "ready", WAIT_S)
            with HandClient(requests_address(short_dir / "run"), timeout_ms=20_000) as client:
                before = client.estimate(pixels[0], "right").hands[0].vertices
                assert client.status().counters.get("resumed", 0) == 0
                new = short_dir / "new"
                new.write_text(str(8 * 3600 * 10**9))
                new.replace(clock)
                after = client.estimate(pixels[0], "right").hands[0].vertices
                assert client.status().counters["resumed"] == 1, "the answer came before the test"
                assert client.status().ready
                assert np.array_equal(before, after)  # type: ignore[arg-type]
        finally:
            daemon.terminate()
        assert daemon.wait(WAIT_S) == 0
