"""`wilor-sidecar estimate PHOTO --box ... --side ...`: the hands of a photograph, printed or drawn over it."""

import argparse
import sys
from pathlib import Path

import msgspec

from wilor_client import JOINT_NAMES, HandClient
from wilor_protocol.hands import Hand
from wilor_protocol.limits import MAX_HANDS
from wilor_protocol.names import Side
from wilor_sidecar.cli.argument_types import milliseconds
from wilor_sidecar.cli.commands import SubParsers, add_command, add_daemon_flags, keys_of, requests_of
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.cli.failure import CommandError
from wilor_sidecar.cli.pictures import Detection, cut_crops, read_picture, size_of, with_hands_drawn, write_picture

_SIDES: tuple[Side, ...] = ("left", "right")


def add_parser(commands: SubParsers) -> None:
    """Declare the command."""
    parser = add_command(commands, "estimate", run, "Send the hands of a photograph to the daemon.")
    add_daemon_flags(parser)
    parser.add_argument("photo", type=Path)
    parser.add_argument(
        "--box",
        action="append",
        required=True,
        metavar="X1,Y1,X2,Y2",
        type=_box,
        help="around a hand, px; may be repeated",
    )
    parser.add_argument("--side", action="append", required=True, choices=_SIDES, help="of each box's hand, in order")
    parser.add_argument("--draw", type=Path, metavar="OUT", help="write the photograph with the hands over it")
    parser.add_argument("--json", action="store_true", help="everything but the mesh, as JSON")
    parser.add_argument(
        "--timeout-ms", type=milliseconds, default=10_000, metavar="MS", help="for the answer (default: 10000)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Cut, ask, show."""
    if len(arguments.box) != len(arguments.side):
        counts = f"{len(arguments.side)} for {len(arguments.box)}"
        raise CommandError(f"--side: expected one for each --box, got {counts}", Exit.USAGE)
    if len(arguments.box) > MAX_HANDS:
        raise CommandError(f"--box: expected {MAX_HANDS} hands at most, got {len(arguments.box)}", Exit.USAGE)
    photo = read_picture(arguments.photo)
    detections: list[Detection] = list(zip(arguments.box, arguments.side, strict=True))
    crops = cut_crops(photo, detections)
    with HandClient(requests_of(arguments), timeout_ms=arguments.timeout_ms, keys=keys_of(arguments)) as client:
        reply = client.estimate(crops, image_size=size_of(photo))
        if arguments.draw:
            model = client.hello().model
            note = "" if model is None or model.trained else "untrained"
            faces = client.topology().faces
            write_picture(arguments.draw, with_hands_drawn(photo, reply.hands, faces, note))
    sys.stdout.write(_as_json(reply.hands) if arguments.json else "\n".join(map(_as_text, reply.hands)) + "\n")
    return Exit.OK


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        x1, y1, x2, y2 = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected four numbers x1,y1,x2,y2, got {text!r}") from None
    return x1, y1, x2, y2


def _as_text(hand: Hand) -> str:
    lines = [f"{hand.side} hand"]
    if hand.translation is not None:
        x, y, z = hand.translation
        lines.append(f"  at x {x:.3f}, y {y:.3f}, z {z:.2f} m (approximate; focal length {hand.focal_px:.0f} px)")
    reach, pixels = hand.keypoints_from_wrist, hand.keypoints_2d
    if reach is not None and pixels is not None:
        lines.append("  joint           px x    px y    cm from the wrist: x, y, z")
        for name, (px, py), (x, y, z) in zip(JOINT_NAMES, pixels, reach * 100, strict=True):
            lines.append(f"  {name:<12} {px:7.1f} {py:7.1f}    {x:6.2f} {y:6.2f} {z:6.2f}")
    return "\n".join(lines)


def _as_json(hands: list[Hand]) -> str:
    light = [msgspec.structs.replace(hand, vertices=None) for hand in hands]
    return msgspec.json.encode(light, enc_hook=lambda array: array.tolist()).decode() + "\n"
