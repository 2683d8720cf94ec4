"""`wilor-sidecar demo`: a daemon, a sender and a listener, from start to stop, on one screen.

It starts a daemon of its own, sends the crops of a picture through the socket frame by frame, shows the events that
arrive, saves the picture with the hands drawn, and stops the daemon.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from wilor_client import EstimateReply, HandClient, HandEvents
from wilor_protocol.events import joints_topic
from wilor_protocol.names import Side
from wilor_protocol.replies import StatusReply
from wilor_sidecar.cli.commands import SubParsers, add_command
from wilor_sidecar.cli.demo_picture import demo_picture
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.cli.failure import CommandError
from wilor_sidecar.cli.pictures import (
    Detection,
    Picture,
    cut_crops,
    read_picture,
    size_of,
    with_hands_drawn,
    write_picture,
)
from wilor_sidecar.cli.watch import event_line
from wilor_sidecar.daemon_process import DaemonDiedError, DaemonProcess

_EVENT_MS = 5000
_LOAD_S = 600


class _ListedHand(msgspec.Struct):
    """A hand in boxes.json: x1, y1, x2, y2 in px."""

    box: tuple[float, float, float, float]
    side: Side


@dataclass(frozen=True)
class Shot:
    """A frame to send: a picture and what a detector would say of it."""

    source: str
    picture: Picture
    detections: list[Detection]


def add_parser(commands: SubParsers) -> None:
    """Declare the command."""
    parser = add_command(commands, "demo", run, "Show the daemon at work, from start to stop.")
    parser.add_argument("--model", default="embedded", help="see `serve --model` (default: embedded)")
    parser.add_argument("--out", type=Path, default=Path("demo-output"), metavar="DIR", help="where the pictures go")
    parser.add_argument("--frames", type=int, default=12, metavar="N", help="of the drawn picture (default: 12)")
    parser.add_argument(
        "--photos",
        type=Path,
        metavar="DIR",
        help="photographs instead of the drawn picture; DIR/boxes.json lists the hands of each: "
        '{"a.jpg": [{"box": [x1, y1, x2, y2], "side": "left"}]}',
    )


def run(arguments: argparse.Namespace) -> int:
    """Show it."""
    shots = list(_photographs(arguments.photos) if arguments.photos else _drawn_frames(arguments.frames))
    try:
        with DaemonProcess(arguments.model) as daemon:
            _say(f"started a daemon (pid {daemon.process.pid}) in {daemon.run_dir}")
            status = daemon.wait_until("ready", "degraded", timeout_s=_LOAD_S)
            if not status.ready:
                raise CommandError(f"the daemon is {status.state}: {status.reason}")
            _introduce(status)
            _send_all(daemon, shots, status, arguments.out)
            _say(f"asked the daemon to stop: exit status {daemon.stop()}")
    except DaemonDiedError as error:
        raise CommandError(str(error)) from error
    return Exit.OK


def _introduce(status: StatusReply) -> None:
    _say(f"it is {status.reason}")
    if status.model and not status.model.trained:
        _say("THIS MODEL IS UNTRAINED: everything is computed as in earnest, but its poses mean nothing.")


def _send_all(daemon: DaemonProcess, shots: list[Shot], status: StatusReply, out: Path) -> None:
    note = "" if status.model is None or status.model.trained else "untrained"
    with HandClient(daemon.requests_address, timeout_ms=60_000) as client:
        faces = client.topology().faces
        for source in dict.fromkeys(shot.source for shot in shots):
            mine = [shot for shot in shots if shot.source == source]
            reply = _send_source(daemon, client, mine)
            path = out / f"{source}.png"
            write_picture(path, with_hands_drawn(mine[-1].picture, reply.hands, faces, note))
            _say(f"saved {path}")


def _send_source(daemon: DaemonProcess, client: HandClient, shots: list[Shot]) -> EstimateReply:
    """Send one source's frames and show its events; the last reply."""
    client.source = shots[0].source
    with HandEvents(client.source, daemon.events_address, mesh=False, only_newest=False) as events:
        while joints_topic(client.source) not in client.status().subscriptions:
            time.sleep(0.001)
        for shot in shots:
            captured_at_ns = time.monotonic_ns()
            crops = cut_crops(shot.picture, shot.detections)
            reply = client.estimate(crops, image_size=size_of(shot.picture), captured_at_ns=captured_at_ns)
            event = events.next(_EVENT_MS)
            if event is None:
                raise CommandError(f"no event within {_EVENT_MS} ms")
            _say("  " + event_line(event, time.monotonic_ns(), events.missed))
        return reply


def _drawn_frames(count: int) -> Iterator[Shot]:
    for number in range(count):
        drawn = demo_picture(phase=0.02 * number)
        yield Shot("drawn", drawn.image_rgb, [(hand.box, hand.side) for hand in drawn.hands])


def _photographs(folder: Path) -> Iterator[Shot]:
    path = folder / "boxes.json"
    try:
        listed = msgspec.json.decode(path.read_bytes(), type=dict[str, list[_ListedHand]])
    except (OSError, msgspec.DecodeError) as error:
        raise CommandError(f"{path}: {error}") from error
    for name, hands in listed.items():
        detections: list[Detection] = [(hand.box, hand.side) for hand in hands]
        yield Shot(Path(name).stem, read_picture(folder / name), detections)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
