"""`wilor-sidecar watch SOURCE`: a source's events as they come, one line each."""

import argparse
import sys
from collections.abc import Iterator

from wilor_client import HandClient, HandClientError, HandEvents, HandsEvent, PoseEvent
from wilor_sidecar.cli.argument_types import count, source
from wilor_sidecar.cli.commands import SubParsers, add_command, add_daemon_flags, events_of, keys_of, requests_of
from wilor_sidecar.cli.exits import Exit

_QUIET_MS = 1000
"""After so long without an event it is said what is waited for."""


def add_parser(commands: SubParsers) -> None:
    """Declare the command."""
    parser = add_command(commands, "watch", run, "Print a source's events as they come, until interrupted.")
    add_daemon_flags(parser)
    parser.add_argument("source", type=source, help="as the sender of the frames calls itself")
    parser.add_argument("--count", type=count, metavar="N", help="stop after so many")


def run(arguments: argparse.Namespace) -> int:
    """Subscribe and print."""
    keys = keys_of(arguments)
    with (
        HandEvents(arguments.source, events_of(arguments), mesh=False, keys=keys) as events,
        HandClient(requests_of(arguments), timeout_ms=_QUIET_MS, keys=keys) as client,
    ):
        for number, event in enumerate(_events(events, client, arguments.source), start=1):
            # the client knows the daemon's clock, over TCP too
            sys.stdout.write(event_line(event, event.age_ms(client.now_ns())) + "\n")
            sys.stdout.flush()
            if number == arguments.count:
                break
    return Exit.OK


def _events(events: HandEvents, client: HandClient, source: str) -> Iterator[PoseEvent]:
    """Events for ever; why none comes is said once, until something changes."""
    said = ""
    has_come = False
    while True:
        event = events.next(_QUIET_MS)
        if event is not None:
            said, has_come = "", True
            yield event
            continue
        why = _why_quiet(client, source, has_come=has_come)
        if why and why != said:
            sys.stderr.write(f"{why}\n")
            sys.stderr.flush()
        said = why


def _why_quiet(client: HandClient, source: str, *, has_come: bool) -> str:
    """What is waited for; empty when it is only a hand, as after others have come."""
    try:
        state = client.status().state
    except HandClientError:
        return f"no daemon answers at {client.address}; waiting for one"
    if state == "ready" and has_come:
        return ""
    return f"the daemon at {client.address} is {state}; waiting for hands of {source}"


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
