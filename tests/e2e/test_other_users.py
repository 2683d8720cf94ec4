"""Other users cannot connect, whatever umask the daemon was started with. Needs root, to be two users."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from wilor_protocol.private_directory import NotPrivateError, make_private
from wilor_sidecar.daemon_process import DaemonProcess

_CONNECT = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
with socket.socket(socket.AF_UNIX) as s:
    try:
        s.connect(sys.argv[1])
    except OSError as error:
        sys.exit(error.strerror)
print("connected")
"""

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user too")


@pytest.fixture
def no_umask() -> Iterator[None]:
    """A parent that closes nothing to anybody."""
    before = os.umask(0)
    yield
    os.umask(before)


def connect_as_nobody(socket_path: Path) -> str:
    """What a process of another user gets there: "connected", or why not."""
    result = subprocess.run(
        [sys.executable, "-c", _CONNECT, str(socket_path)], capture_output=True, text=True, timeout=60, check=False
    )
    return (result.stdout or result.stderr).strip()


@pytest.mark.usefixtures("no_umask")
def test_another_user_cannot_connect() -> None:
    """To neither socket: the directory is 0700 and the sockets are their owner's, though the parent's umask is 0."""
    with DaemonProcess() as daemon:
        daemon.wait_until("ready")
        for name in ("requests", "events"):
            assert connect_as_nobody(daemon.run_dir / name) == "Permission denied"
            assert stat.S_IMODE((daemon.run_dir / name).stat().st_mode) & 0o077 == 0
        assert daemon.stop() == 0


@pytest.mark.usefixtures("no_umask")
def test_control_another_user_can_connect_where_nothing_is_closed(short_dir: Path) -> None:
    """Control: without directory and umask the very same attempt succeeds, and our daemon refuses to be there."""
    os.chmod(short_dir, 0o755)  # noqa: PTH101 - as a parent would leave it
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        socket.bind(f"ipc://{short_dir}/open")
        assert connect_as_nobody(short_dir / "open") == "connected"
    with pytest.raises(NotPrivateError, match="open to others"):
        make_private(short_dir)
    with DaemonProcess(run_dir=short_dir) as daemon:
        assert daemon.process.wait(60) == 78
        assert "open to others" in daemon.log()


def test_a_directory_of_somebody_else_is_refused(short_dir: Path) -> None:
    """And so is a link to a directory of one's own."""
    theirs, link, ours = short_dir / "t", short_dir / "l", short_dir / "o"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 65534, 65534)
    ours.mkdir(mode=0o700)
    link.symlink_to(ours)
    for path, words in ((theirs, "belongs to user 65534"), (link, "a link is refused too")):
        with DaemonProcess(run_dir=path) as daemon:
            assert daemon.process.wait(60) == 78
            assert words in daemon.log()
