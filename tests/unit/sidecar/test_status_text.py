"""A status reply in words, and what `top` makes of two of them."""

import io

import msgspec
import pytest
from rich.console import Console
from tests.contract import golden_messages

from wilor_protocol.replies import StatusReply
from wilor_sidecar.cli.status_text import duration, status_lines
from wilor_sidecar.cli.top import picture


def status(**changes: object) -> StatusReply:
    """The golden one, with changes."""
    return msgspec.convert({**golden_messages.replies()["status_reply"], **changes}, StatusReply)


def shown(now: StatusReply, before: StatusReply | None) -> str:
    """What top shows, as plain text with single spaces."""
    out = io.StringIO()
    Console(file=out, width=160, markup=False, highlight=False).print(picture(now, before))
    return "\n".join(" ".join(line.split()) for line in out.getvalue().splitlines())


def test_everything_is_told() -> None:
    """State and reason first; then model, device, memory, process, queue, stages, counters, limits, versions."""
    text = "\n".join(" ".join(line.split()) for line in status_lines(status()))
    for words in (
        "ready: serving wilor (1280 x 32, float16) on gpu\n",
        "server wilor-sidecar 0.1.0, pid 4242, up 1.0 min",
        "health live, ready, model ready",
        "model wilor, 1280 x 32, float16",
        "device gpu, own BLAS, 2750 GFLOP/s, mlx 0.32.4",
        "memory 1,600 MB resident, 1,900 MB at most; MLX: 1,270 MB in use, 0 MB kept, 1,500 MB at most",
        "process 12.5 s computed, 9 threads, 31 of 8192 files",
        "queue 2 of 8 crops wait, 1 run",
        "model time p50 25.50 ms, p95 31.00 ms, p99 40.25 ms of the last 1024",
        "refused_busy 1",
        "subscribed hands/cam",
        "limits 8 hands and 1,638,400 bytes a request, 196,608 bytes a crop, 64 characters a source",
        "versions python 3.11.9, mlx 0.32.4",
    ):
        assert words in text


def test_before_it_is_loaded_there_is_less_to_tell() -> None:
    """Nothing is made up."""
    text = "\n".join(status_lines(msgspec.convert(golden_messages.replies()["status_reply_loading"], StatusReply)))
    assert text.startswith("loading: reading and checking the weights\n")
    assert "live, not ready, not model ready" in text
    assert "licence" not in text
    assert "MLX" not in text


def test_a_topic_gives_the_terminal_no_orders() -> None:
    """Anybody may subscribe to an escape sequence."""
    lines = status_lines(status(subscriptions=["a\x1b]0;gone\x07\nready: forged"]))
    assert [line.split()[1:] for line in lines if "gone" in line] == [["a\\x1b]0;gone\\x07\\x0aready:", "forged"]]


def test_top_shows_what_happens_in_a_second() -> None:
    """Between two looks of one life; the first look, and a restart between two, show none."""
    before = status()
    process = {**golden_messages.replies()["status_reply"]["process"], "cpu_s": 13.5}
    counters = {"requests_estimate": 63, "answered_estimate": 42, "refused_busy": 1, "refused_expired": 4}
    now = status(uptime_s=63.5, process=process, counters=counters)
    text = shown(now, before)
    assert "answered_estimate 42 20.0" in text
    assert "refused_busy 1 0.0" in text
    assert "refused_expired 4 2.0" in text
    assert "50.0 % CPU" in text
    assert "model 25.50 31.00 40.25 1024" in text
    assert "\nanswered_estimate 42\n" in shown(now, None)
    assert "\nanswered_estimate 42\n" in shown(now, status(epoch="another"))


def test_top_takes_no_markup() -> None:
    """A reason with brackets is shown as it is."""
    assert "[red]no[/red]" in shown(status(reason="[red]no[/red]"), None)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (60, "1.0 min"), (5400, "1.5 h"), (864_000, "10.0 days")]
)
def test_durations(seconds: float, text: str) -> None:
    """In the largest unit that fits."""
    assert duration(seconds) == text
