"""What becomes of the daemon when somebody cleans up its run directory: a cleaner of caches, a logout, tmpfiles."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.faulty_daemon import Fault, crop_with, faulty_daemon
from tests.e2e.test_faults import States, client_of
from tests.unit.sidecar.fakes import wait_for
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.cli.main import main
from wilor_sidecar.daemon_process import DaemonProcess
from wilor_sidecar.doctor.places import check_run_directory

WAIT_S = 30
CROP = crop_with(Fault.NONE)


@pytest.fixture
def running(short_dir: Path) -> Iterator[DaemonProcess]:
    """A daemon, ready."""
    with faulty_daemon(run_dir=short_dir) as daemon:
        daemon.wait_until("ready")
        yield daemon


def empty(folder: Path, *kept: str) -> None:
    """Remove all files but these."""
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink()


def test_sockets_that_are_removed_are_made_again(running: DaemonProcess) -> None:
    """Newcomers are answered and hear events a moment later; who was connected before never notices."""
    with client_of(running) as before, States(running) as old_states:
        assert len(before.estimate(CROP, "right").hands) == 1
        empty(running.run_dir, "daemon.lock", "starts.json")
        assert len(before.estimate(CROP, "right").hands) == 1
        assert running.wait_until("ready").pid == running.process.pid
        with client_of(running) as newcomer, States(running) as states:
            assert len(newcomer.estimate(CROP, "right").hands) == 1
            assert states.first.state == old_states.next().state == "ready"
    assert "requests was removed by somebody; it is made again" in running.log()
    assert running.stop() == Exit.OK
    assert not [path for path in running.run_dir.iterdir() if path.is_socket()]


@pytest.mark.parametrize("how", [empty, shutil.rmtree])
def test_without_its_directory_it_ends_and_says_why(running: DaemonProcess, how: object) -> None:
    """75, with or without a supervisor: a new start makes everything again, and this one is reachable by nobody."""
    with States(running) as states:
        how(running.run_dir)  # type: ignore[operator]
        assert "was taken away" in states.next().reason
    assert running.process.wait(WAIT_S) == Exit.TEMPORARY
    assert f"failed: the run directory was taken away: {running.run_dir}" in running.log()
    running.run_dir.mkdir(0o700, exist_ok=True)  # for the fixture, whose it is
    running.start()
    running.wait_until("ready")
    assert running.stop() == Exit.OK


def test_a_second_daemon_in_its_place_is_left_alone(running: DaemonProcess) -> None:
    """The first ends by itself, or is stopped: the second's sockets, lock and record stay, and it serves."""
    running.process.send_signal(signal.SIGSTOP)  # so that it cannot end before the other is there
    empty(running.run_dir)
    with faulty_daemon(run_dir=running.run_dir) as second, client_of(second) as client:
        second.wait_until("ready")
        names = {path.name for path in running.run_dir.iterdir()}
        running.process.send_signal(signal.SIGCONT)
        running.process.terminate()
        assert running.process.wait(WAIT_S) in (Exit.OK, Exit.TEMPORARY)
        assert {path.name for path in running.run_dir.iterdir()} == names >= {"requests", "events", "starts.json"}
        assert second.wait_until("ready").pid == second.process.pid
        assert len(client.estimate(CROP, "right").hands) == 1
        assert second.stop() == Exit.OK


def test_a_daemon_without_its_socket_is_told(running: DaemonProcess, capsys: pytest.CaptureFixture[str]) -> None:
    """While it cannot help itself, `status` and `doctor` say that a process is there, which, and what helps."""
    running.process.send_signal(signal.SIGSTOP)
    (running.run_dir / "requests").unlink()
    sentence = f"a daemon (pid {running.process.pid}) runs, but somebody removed its socket {running.run_dir}/requests"
    assert main(["status", "--run-dir", str(running.run_dir)]) == Exit.FAILED
    assert sentence in capsys.readouterr().err
    found = [finding for finding in check_run_directory(running.run_dir) if finding.level == "problem"]
    assert [sentence in finding.text for finding in found] == [True]
    running.process.send_signal(signal.SIGCONT)
    wait_for((running.run_dir / "requests").is_socket, "it has helped itself", WAIT_S)
    assert main(["status", "--run-dir", str(running.run_dir)]) == Exit.OK
    assert [finding.level for finding in check_run_directory(running.run_dir)] == ["ok"]
    assert running.stop() == Exit.OK


def test_a_socket_that_cannot_be_made_again_is_the_end(running: DaemonProcess) -> None:
    """Something else stands in its place: it is named, and kept."""
    (running.run_dir / "other").touch()
    (running.run_dir / "other").rename(running.run_dir / "requests")
    assert running.process.wait(WAIT_S) == Exit.TEMPORARY
    assert f"{running.run_dir}/requests: something that is no socket" in running.log()
    assert (running.run_dir / "requests").is_file()
    (running.run_dir / "requests").unlink()
