"""What all tests share: a home, where the upstream reference numbers are, a short path, and a running daemon."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.homes import TestHome
from wilor_client import HandClient
from wilor_sidecar.daemon_process import DaemonProcess

_HOME = pytest.StashKey[TestHome]()
_SLOW_LIMIT_S = 3600
_REFERENCE = Path(__file__).parents[2] / "shared" / "reference"


def pytest_configure(config: pytest.Config) -> None:
    """Before anything else, leave the home of who runs the tests, and what else of them is handed down."""
    home = TestHome(cache=config.rootpath / ".pytest_cache" / "home")
    home.move_in()
    # Whoever runs the tests in the background has interrupts ignored, and so would have all that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[_HOME] = home


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes by nature may take longer than a test that hangs."""
    for item in items:
        if item.get_closest_marker("slow") or item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.timeout(_SLOW_LIMIT_S))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Nothing stays but the cache."""
    config.stash[_HOME].remove()


@pytest.fixture(autouse=True)
def at_home(pytestconfig: pytest.Config) -> None:
    """No test begins while the environment leads to another home, which an agent's test might tidy."""
    assert pytestconfig.stash[_HOME].is_lived_in(), "a test before this one has left another home in the environment"


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
        assert running.stop(60) == 0, running.log()


@pytest.fixture
def client(daemon: DaemonProcess) -> Iterator[HandClient]:
    """A client of the shared daemon, with a source of its own."""
    with HandClient(daemon.requests_address, timeout_ms=20_000) as connected:
        yield connected
