"""Sessions with a supervisor: nothing is installed at first."""

from collections.abc import Iterator

import pytest

from wilor_sidecar.daemon_process import DaemonProcess

from .linux_session import LinuxSession, linux_session
from .mac_session import MacSession, mac_session


@pytest.fixture(scope="package", autouse=True)
def compiled(daemon: DaemonProcess) -> None:
    """The daemon of all tests has compiled the kernels that each session copies."""


@pytest.fixture
def mac() -> Iterator[MacSession]:
    """A session of the test's own."""
    with mac_session() as session:
        yield session


@pytest.fixture(scope="package")
def linux() -> Iterator[LinuxSession]:
    """One session for all: a manager takes its time."""
    with linux_session() as session:
        yield session
