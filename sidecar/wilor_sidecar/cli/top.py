"""`wilor-sidecar top`: how the daemon is, live in the terminal."""

import argparse
import itertools
import sys
import time
from contextlib import nullcontext

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.segment import SegmentLines
from rich.table import Table
from rich.text import Text

from wilor_client import HandClient, NoReplyError
from wilor_protocol.replies import StatusReply
from wilor_sidecar.cli.argument_types import count, seconds
from wilor_sidecar.cli.commands import SubParsers, add_command, add_daemon_flags, keys_of, requests_of
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.cli.status_text import about, duration

_ASK_MS = 1000
_WIDE = 500
"""A file or a program has lines as long as they come."""
_CHANGING = ("health", "queue", "memory")
_COLOURS = {"ready": "green", "loading": "yellow", "warming": "yellow", "starting": "yellow"}


def add_parser(commands: SubParsers) -> None:
    """Declare the command."""
    parser = add_command(commands, "top", run, "Show how the daemon is, live, until interrupted.")
    add_daemon_flags(parser)
    parser.add_argument("--every", type=seconds, default=1.0, metavar="S", help="seconds between two looks (1)")
    parser.add_argument("--count", type=count, metavar="N", help="stop after so many looks")


def run(arguments: argparse.Namespace) -> int:
    """Look again and again. A daemon that is away is waited for."""
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _WIDE)
    screen = Live(console=console, auto_refresh=False, screen=True) if console.is_terminal else nullcontext()
    before: StatusReply | None = None
    with HandClient(requests_of(arguments), timeout_ms=_ASK_MS, keys=keys_of(arguments)) as client, screen:
        for look in itertools.count(1):
            status = _ask(client)
            seen = picture(status, before) if status else _away(client.address)
            if isinstance(screen, Live):
                screen.update(fitted(seen, console), refresh=True)
            else:
                console.print(seen)
            if look == arguments.count:
                break
            before = status
            time.sleep(arguments.every)
    return Exit.OK


def _ask(client: HandClient) -> StatusReply | None:
    try:
        return client.status()
    except NoReplyError:
        return None


def _away(address: str) -> Text:
    return Text(f"no daemon answers at {address}; waiting for one", style="red")


def fitted(seen: RenderableType, console: Console) -> RenderableType:
    """As much as the terminal has lines for, from the top, and how much is left out."""
    lines = console.render_lines(seen, pad=False)
    if len(lines) <= console.height:
        return seen
    kept = lines[: console.height - 1]
    return Group(SegmentLines(kept, new_lines=True), Text(f"... {len(lines) - len(kept)} lines more", style="dim"))


def picture(status: StatusReply, before: StatusReply | None) -> Group:
    """One look at the daemon; what is worth most comes first, for a terminal may have few lines.

    Args:
        status: now.
        before: the look before this, for what happens in a second; None or another life's: there is none.
    """
    if before is not None and before.epoch != status.epoch:
        before = None
    state = Text.assemble((f"{status.state}", f"bold {_COLOURS.get(status.state, 'red')}"), f": {status.reason}")
    line = Text(f"{status.server}, pid {status.pid}, up {duration(status.uptime_s)}, {_cpu(status, before)} CPU")
    for text in (state, line):
        text.no_wrap, text.overflow = True, "ellipsis"
    facts = dict(about(status))
    first = _two_columns([(name, facts.pop(name)) for name in _CHANGING])
    return Group(state, line, first, _stages(status), _counts(status, before), _two_columns(list(facts.items())))


def _cpu(status: StatusReply, before: StatusReply | None) -> str:
    """Of one core, since the look before; without one, since the start."""
    used, took = status.process.cpu_s, status.uptime_s
    if before is not None:
        used, took = used - before.process.cpu_s, took - before.uptime_s
    return f"{100 * used / max(took, 1e-3):.1f} %"


def _stages(status: StatusReply) -> Table:
    table = Table("stage", title="last estimates, ms", title_justify="left", box=None)
    for heading in ("p50", "p95", "p99", "of"):
        table.add_column(heading, justify="right")
    for stage, times in status.latency_ms.items():
        table.add_row(stage, f"{times.p50:.2f}", f"{times.p95:.2f}", f"{times.p99:.2f}", str(times.count))
    return table


def _counts(status: StatusReply, before: StatusReply | None) -> Table:
    table = Table("count", title_justify="left", box=None)
    table.add_column("in all", justify="right")
    table.add_column("a second", justify="right")
    for name, total in sorted(status.counters.items(), key=lambda item: _worth(item[0], item[1], before)):
        table.add_row(name, str(total), _rate(name, total, status, before))
    return table


def _worth(name: str, total: int, before: StatusReply | None) -> tuple[bool, bool, str]:
    """Sorts what is counted now first, and last what never was."""
    is_still = before is None or total == before.counters.get(name, 0)
    return is_still, total == 0, name


def _rate(name: str, total: int, status: StatusReply, before: StatusReply | None) -> str:
    if before is None:
        return ""
    return f"{(total - before.counters.get(name, 0)) / max(status.uptime_s - before.uptime_s, 1e-3):.1f}"


def _two_columns(rows: list[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False)
    table.add_column(no_wrap=True, min_width=max(len(name) for name, _ in rows))
    table.add_column(no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table
