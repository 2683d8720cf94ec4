"""The sockets in the run directory: made, made again when they are gone, and removed by nobody but their owner."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq

from wilor_sidecar.run_directory import RunDirectory
from wilor_sidecar.socket_places import SocketPlaces

from .conftest import Context, OpenSocket, Socket
from .fakes import UNIT_S
from .test_run_directory import make_socket, mode_of

UNIT_MS = round(UNIT_S * 1000)
NAMES = ["requests", "events"]


class House:
    """A run directory with both sockets in their places."""

    def __init__(self, run_dir: Path, context: Context) -> None:
        self.directory = RunDirectory.take(run_dir)
        self.requests, self.events = context.socket(zmq.ROUTER), context.socket(zmq.XPUB)
        self.places = SocketPlaces(self.directory)
        self.places.bind(self.requests, self.directory.requests)
        self.places.bind(self.events, self.directory.events)

    def close(self) -> None:
        """As the daemon does."""
        self.places.close()
        self.requests.close(linger=0)
        self.events.close(linger=0)
        self.directory.release()


@pytest.fixture
def run_dir(short_dir: Path) -> Path:
    """A path for a run directory that does not exist yet."""
    return short_dir / "run"


@pytest.fixture
def house(run_dir: Path, context: Context) -> Iterator[House]:
    """Open."""
    made = House(run_dir, context)
    yield made
    made.close()


def asker(house: House, open_socket: OpenSocket) -> Socket:
    """A client's socket."""
    client = open_socket(zmq.REQ)
    client.connect(house.directory.requests_address)
    return client


def assert_answers(house: House, client: Socket) -> None:
    """A request comes in, and its reply goes out."""
    client.send(b"?")
    assert house.requests.poll(UNIT_MS), "no request came"
    house.requests.send_multipart(house.requests.recv_multipart())
    assert client.poll(UNIT_MS), "no reply came"
    assert client.recv() == b"?"


def test_both_are_found_and_private(house: House, run_dir: Path, open_socket: OpenSocket) -> None:
    """A client is answered, and a subscriber is heard."""
    assert_answers(house, asker(house, open_socket))
    subscriber = open_socket(zmq.SUB)
    subscriber.setsockopt(zmq.SUBSCRIBE, b"topic")
    subscriber.connect(house.directory.events_address)
    assert house.events.poll(UNIT_MS), "no subscription came"
    assert mode_of(run_dir) == 0o700
    assert house.places.look_after() == ""


def test_what_an_earlier_daemon_left_is_replaced(run_dir: Path, context: Context, open_socket: OpenSocket) -> None:
    """After a kill -9 its sockets are still there."""
    run_dir.mkdir(0o700)
    for name in NAMES:
        make_socket(run_dir / name)
    house = House(run_dir, context)
    assert_answers(house, asker(house, open_socket))
    house.close()


@pytest.mark.parametrize("gone", [NAMES, *([name] for name in NAMES)])
def test_a_socket_that_was_removed_is_made_again(
    house: House, run_dir: Path, open_socket: OpenSocket, gone: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Newcomers find it, and who was connected before stays so; the log says what was removed."""
    before = asker(house, open_socket)
    assert_answers(house, before)
    for name in gone:
        (run_dir / name).unlink()
    assert house.places.look_after() == ""
    assert all((run_dir / name).is_socket() for name in NAMES)
    assert_answers(house, before)
    assert_answers(house, asker(house, open_socket))
    assert [name for name in NAMES if f"{run_dir / name} was removed" in caplog.text] == gone
    assert house.places.look_after() == ""


def test_each_place_keeps_its_own_options(house: House, run_dir: Path, open_socket: OpenSocket) -> None:
    """Beside a place that asks for keys the other is made again without, and the first with them."""
    public, secret = zmq.curve_keypair()

    @contextmanager
    def keys_required(bound: Socket) -> Iterator[None]:
        bound.setsockopt(zmq.CURVE_SECRETKEY, secret)
        bound.setsockopt(zmq.CURVE_SERVER, 1)
        yield
        bound.setsockopt(zmq.CURVE_SERVER, 0)

    house.places.bind(house.requests, house.directory.tcp_requests, keys_required)
    for path in (house.directory.requests, house.directory.tcp_requests):
        path.unlink()
    assert house.places.look_after() == ""
    assert_answers(house, asker(house, open_socket))
    with_keys = open_socket(zmq.REQ)
    with_keys.setsockopt(zmq.CURVE_SERVERKEY, public)
    with_keys.setsockopt(zmq.CURVE_PUBLICKEY, public)
    with_keys.setsockopt(zmq.CURVE_SECRETKEY, secret)
    with_keys.connect(f"ipc://{house.directory.tcp_requests}")
    assert_answers(house, with_keys)


def test_a_socket_of_somebody_elses_in_its_place_is_replaced(
    house: House, run_dir: Path, open_socket: OpenSocket
) -> None:
    """The lock is ours, and so is the name."""
    (run_dir / "requests").unlink()
    make_socket(run_dir / "requests")
    assert house.places.look_after() == ""
    assert_answers(house, asker(house, open_socket))


def test_a_file_in_its_place_is_kept(house: House, run_dir: Path) -> None:
    """Nothing but a socket is ever replaced: there is no going on then, and the reason names the file."""
    (run_dir / "requests").unlink()
    (run_dir / "requests").write_text("precious")
    assert f"{run_dir / 'requests'}: something that is no socket" in house.places.look_after()
    assert (run_dir / "requests").read_text() == "precious"


def test_a_directory_that_was_taken_away_is_the_end(house: House, run_dir: Path) -> None:
    """Nothing is made in it any more: another daemon could be there."""
    for path in run_dir.iterdir():
        path.unlink()
    assert "was taken away" in house.places.look_after()
    assert list(run_dir.iterdir()) == []


def test_a_successors_sockets_are_left_alone(run_dir: Path, context: Context, open_socket: OpenSocket) -> None:
    """Who lost the directory to another daemon and ends takes none of the other's sockets along."""
    first = House(run_dir, context)
    (run_dir / "daemon.lock").unlink()
    second = House(run_dir, context)
    first.close()
    assert all((run_dir / name).is_socket() for name in NAMES)
    assert_answers(second, asker(second, open_socket))
    second.close()
    assert [path.name for path in run_dir.iterdir()] == ["daemon.lock"]


def test_files_in_use_are_touched_now_and_then(house: House, run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cleans up old files looks at their times."""
    for path in run_dir.iterdir():
        os.utime(path, (1, 1))
    house.places.look_after()
    assert {path.stat().st_mtime for path in run_dir.iterdir()} == {1}
    monkeypatch.setattr("wilor_sidecar.socket_places._KEEP_EVERY_S", 0)
    house.places.look_after()
    assert min(path.stat().st_mtime for path in run_dir.iterdir()) > 1e9
