"""What `top` shows where a terminal has few lines."""

import io

import msgspec
import pytest
from rich.console import Console
from tests.contract import golden_messages

from wilor_protocol.replies import StatusReply
from wilor_sidecar.cli.top import fitted, picture


def shown(width: int, height: int) -> list[str]:
    """The lines of one look, after another in which less was counted."""
    before = msgspec.convert(golden_messages.replies()["status_reply"], StatusReply)
    counters = {"a_zero": 0, "b_still": 5, "c_moving": 9, **{f"still_{n}": 1 for n in range(10)}}
    earlier = msgspec.structs.replace(before, counters={**counters, "c_moving": 3})
    now = msgspec.structs.replace(before, counters=counters, uptime_s=before.uptime_s + 1)
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(fitted(picture(now, earlier), console))
    return captured.get().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 12), (20, 8), (20, 3)])
def test_it_fits_and_says_what_is_left_out(width: int, height: int) -> None:
    """The state comes first, whatever the size; the last line says how many there are more."""
    lines = shown(width, height)
    assert len(lines) == height
    assert all(len(line) <= width for line in lines)
    assert lines[0].startswith("ready: ")
    left_out = len(shown(width, 1000)) - height + 1
    assert lines[-1].strip() == f"... {left_out} lines more"


def test_what_is_counted_now_comes_first() -> None:
    """Then what was counted once, and last what never was; names of rows are whole also where it is narrow."""
    lines = [line.split()[0] for line in shown(80, 1000) if line.split()]
    assert lines.index("c_moving") < lines.index("b_still") < lines.index("a_zero")
    assert {"health", "queue", "memory"} <= {line.split()[0] for line in shown(20, 1000) if line.split()}
