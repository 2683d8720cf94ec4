"""What all tests share: where the upstream reference numbers are, a short path, and a running daemon."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from wilor_client import HandClient
from wilor_sidecar.daemon_process import DaemonProcess

_REFERENCE = Path(__file__).parents[2] / "shared" / "reference"


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of upstream's numbers; tests that need it are skipped where it is not."""
    if not _REFERENCE.is_dir():
        pytest.skip("the folder of upstream reference numbers is not beside this checkout")
    return _REFERENCE


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A fresh private directory whose path leaves room for a socket's name, which pytest's own does not."""
    path = Path(tempfile.mkdtemp(prefix="ws-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def daemon() -> Iterator[DaemonProcess]:
    """A daemon with its default model, ready, shared by the tests that do not harm it."""
    with DaemonProcess() as running:
        running.wait_until("ready")
        yield running
        assert running.stop() == 0, running.log()


@pytest.fixture
def client(daemon: DaemonProcess) -> Iterator[HandClient]:
    """A client of the shared daemon, with a source of its own."""
    with HandClient(daemon.requests_address, timeout_ms=20_000) as connected:
        yield connected
