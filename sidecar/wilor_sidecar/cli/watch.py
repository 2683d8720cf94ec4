"""`wilor-sidecar watch SOURCE`: a source's events as they come, one line each."""

import argparse
import sys

from wilor_client import HandClient, HandEvents, HandsEvent, PoseEvent
from wilor_sidecar.cli.commands import SubParsers, add_command, add_daemon_flags, events_of, keys_of, requests_of
from wilor_sidecar.cli.exits import Exit


def add_parser(commands: SubParsers) -> None:
    """Declare the command."""
    parser = add_command(commands, "watch", run, "Print a source's events as they come, until interrupted.")
    add_daemon_flags(parser)
    parser.add_argument("source", help="as the sender of the frames calls itself")
    parser.add_argument("--count", type=int, metavar="N", help="stop after so many")


def run(arguments: argparse.Namespace) -> int:
    """Subscribe and print."""
    keys = keys_of(arguments)
    with (
        HandEvents(arguments.source, events_of(arguments), mesh=False, keys=keys) as events,
        HandClient(requests_of(arguments), keys=keys) as client,  # knows the daemon's clock, over TCP too
    ):
        for number, event in enumerate(events, start=1):
            sys.stdout.write(event_line(event, event.age_ms(client.now_ns())) + "\n")
            sys.stdout.flush()
            if number == arguments.count:
                break
    return Exit.OK


def event_line(event: PoseEvent, age_ms: float) -> str:
    """An event in one line: its number, its age, and where each hand's wrist and index finger are."""
    hands = "; ".join(_hand_text(event, index) for index in range(len(event.hands)))
    skipped = f", {event.missed} skipped before it" if event.missed else ""
    return f"{event.source} #{event.seq} frame {event.frame}, {age_ms:.1f} ms old{skipped}: {hands}"


def _hand_text(event: HandsEvent, index: int) -> str:
    hand = event.hands[index]
    if hand.keypoints_2d is not None:
        (wrist_x, wrist_y), (tip_x, tip_y) = hand.keypoints_2d[0], hand.keypoints_2d[8]
        return f"{hand.side} wrist ({wrist_x:.0f}, {wrist_y:.0f}) index tip ({tip_x:.0f}, {tip_y:.0f}) px"
    reach = hand.keypoints_from_wrist
    if reach is None:
        return hand.side
    x, y, z = reach[8] * 100
    return f"{hand.side} index tip {x:+.1f} {y:+.1f} {z:+.1f} cm from the wrist"
