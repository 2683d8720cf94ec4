"""`wilor-sidecar demo`: a daemon, a sender and a listener, from start to stop, on one screen.

It starts a daemon of its own, sends crops through the socket frame by frame, shows the events that arrive, saves what
came back drawn over what was sent, and stops the daemon. Without photographs it shows a film of rendered hands, whose
true poses are known: each answer is drawn beside the truth, with its error.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wilor_client import EstimateReply, HandClient, HandEvents
from wilor_client.drawing import draw_skeleton
from wilor_protocol.events import joints_topic
from wilor_protocol.names import Side
from wilor_protocol.replies import StatusReply
from wilor_sidecar.accuracy import aligned_error_m, box_error
from wilor_sidecar.cli.argument_types import count
from wilor_sidecar.cli.commands import SubParsers, add_command
from wilor_sidecar.cli.demo_film import Frame, film
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
_FRAME_MS = 125


class _ListedHand(msgspec.Struct):
    """A hand in boxes.json: x1, y1, x2, y2 in px."""

    box: tuple[float, float, float, float]
    side: Side


@dataclass(frozen=True)
class Shot:
    """A frame to send: a picture, what a detector would say of it, and the true hand where that is known."""

    source: str
    picture: Picture
    detections: list[Detection]
    truth: Frame | None = None


def add_parser(commands: SubParsers) -> None:
    """Declare the command."""
    parser = add_command(commands, "demo", run, "Show the daemon at work, from start to stop.")
    parser.add_argument("--model", default="embedded", help="see `serve --model` (default: embedded)")
    parser.add_argument("--out", type=Path, default=Path("demo-output"), metavar="DIR", help="where the pictures go")
    parser.add_argument("--frames", type=count, metavar="N", help="of each shot of the film (default: all 32)")
    parser.add_argument(
        "--photos",
        type=Path,
        metavar="DIR",
        help="photographs instead of the film; DIR/boxes.json lists the hands of each: "
        '{"a.jpg": [{"box": [x1, y1, x2, y2], "side": "left"}]}',
    )


def run(arguments: argparse.Namespace) -> int:
    """Show it."""
    shots = list(_photographs(arguments.photos) if arguments.photos else _film(arguments.frames))
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


def _send_all(daemon: DaemonProcess, shots: Sequence[Shot], status: StatusReply, out: Path) -> None:
    note = "" if status.model is None or status.model.trained else "untrained"
    with HandClient(daemon.requests_address, timeout_ms=60_000) as client:
        faces = client.topology().faces
        for source in dict.fromkeys(shot.source for shot in shots):
            mine = [shot for shot in shots if shot.source == source]
            replies = list(_send_source(daemon, client, mine))
            drawn = [_drawn(shot, reply, faces, note) for shot, reply in zip(mine, replies, strict=True)]
            _say(f"saved {_save(drawn, out / source)}")
            _say_errors(mine, replies)


def _send_source(daemon: DaemonProcess, client: HandClient, shots: Sequence[Shot]) -> Iterator[EstimateReply]:
    """Send one source's frames and show its events; the reply to each."""
    client.source = shots[0].source
    with HandEvents(client.source, daemon.events_address, mesh=False, only_newest=False) as events:
        while joints_topic(client.source) not in client.status().subscriptions:
            time.sleep(0.001)
        for shot in shots:
            captured_at_ns = time.monotonic_ns()
            crops = cut_crops(shot.picture, shot.detections)
            yield client.estimate(crops, image_size=size_of(shot.picture), captured_at_ns=captured_at_ns)
            event = events.next(_EVENT_MS)
            if event is None:
                raise CommandError(f"no event within {_EVENT_MS} ms")
            _say("  " + event_line(event, event.age_ms()))


def _drawn(shot: Shot, reply: EstimateReply, faces: NDArray[np.int32], note: str) -> Picture:
    """The picture with the answer over it; to its left the true skeleton, where it is known."""
    estimated = with_hands_drawn(shot.picture, reply.hands, faces, note)
    if shot.truth is None:
        return estimated
    return np.concatenate([draw_skeleton(shot.picture, shot.truth.keypoints_2d), estimated], axis=1)


def _save(drawn: Sequence[Picture], path: Path) -> Path:
    """One picture as PNG, several as an animated GIF; the file's path."""
    if len(drawn) == 1:
        path = path.with_suffix(".png")
        write_picture(path, drawn[0])
        return path
    path = path.with_suffix(".gif")
    first, *others = [Image.fromarray(picture) for picture in drawn]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        first.save(path, save_all=True, append_images=others, duration=_FRAME_MS, loop=0)
    except OSError as error:
        raise CommandError(f"{path}: cannot be written: {error}") from error
    return path


def _say_errors(shots: Sequence[Shot], replies: Sequence[EstimateReply]) -> None:
    """How far the answers were from the truth, where that is known."""
    aligned_mm, in_box = [], []
    for shot, reply in zip(shots, replies, strict=True):
        hand = reply.hands[0]
        if shot.truth is None or hand.keypoints is None or hand.keypoints_2d is None:
            continue
        aligned_mm.append(1e3 * aligned_error_m(hand.keypoints, shot.truth.keypoints_from_wrist))
        in_box.append(100 * box_error(hand.keypoints_2d, shot.truth.keypoints_2d))
    if aligned_mm:
        _say(
            f"  left the truth, right the answer; joints are {np.mean(aligned_mm):.1f} mm off after alignment (worst "
            f"frame {max(aligned_mm):.1f}), and in the picture {np.mean(in_box):.1f} % of the hand's size"
        )


def _film(frames: int | None) -> Iterator[Shot]:
    for frame in film(frames):
        yield Shot(f"{frame.side}-hand", frame.picture, [(frame.box, frame.side)], frame)


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
