"""When the device is kept awake and when the network is let go, by a clock of the test's own."""

import pytest

from wilor_sidecar.idle import Idle

S = 10**9


def ticks(idle: Idle, *, until_s: float, uses_s: tuple[float, ...] = ()) -> int:
    """How many pieces of work the device is given when somebody looks every 100 ms."""
    given = 0
    uses = [round(use * S) for use in uses_s]
    for now_ns in range(0, round(until_s * S), S // 10):
        while uses and uses[0] <= now_ns:
            idle.note_use(uses.pop(0))
        if idle.should_stay_warm(now_ns):
            idle.note_work(now_ns)
            given += 1
    return given


def idle_with(keep_warm_s: float = 0, unload_after_s: float = 0) -> Idle:
    """One that begins at 0."""
    return Idle(keep_warm_s=keep_warm_s, unload_after_s=unload_after_s, now_ns=0)


def test_ticks_end_when_nobody_asks() -> None:
    """Two and a half a second for as long as set after the last request, and none all night."""
    assert ticks(idle_with(keep_warm_s=10), until_s=8 * 3600) == 24


def test_ticks_begin_again_with_a_request() -> None:
    """Each use starts the time anew."""
    assert ticks(idle_with(keep_warm_s=1), until_s=100) == 2
    assert ticks(idle_with(keep_warm_s=1), until_s=100, uses_s=(50, 70)) == 6


def test_a_busy_device_needs_no_ticks() -> None:
    """Under a camera's requests the work itself keeps it awake."""
    idle = idle_with(keep_warm_s=10)
    assert ticks(idle, until_s=5, uses_s=tuple(number / 5 for number in range(25))) == 0


def test_without_keeping_warm_there_are_none() -> None:
    """0 is never."""
    assert ticks(idle_with(keep_warm_s=0), until_s=100, uses_s=(1, 2, 3)) == 0


@pytest.mark.parametrize(("now_s", "is_due"), [(0, False), (59.9, False), (60, True), (10_000, True)])
def test_the_network_is_let_go_after_its_time(now_s: float, is_due: bool) -> None:
    """From exactly so long after the last request on."""
    assert idle_with(unload_after_s=60).should_unload(round(now_s * S)) == is_due


def test_a_request_puts_unloading_off_and_a_tick_does_not() -> None:
    """Only people count as use."""
    idle = idle_with(unload_after_s=60)
    idle.note_use(30 * S)
    assert not idle.should_unload(89 * S)
    idle.note_work(89 * S)
    assert idle.should_unload(90 * S)


def test_without_unloading_it_stays_for_ever() -> None:
    """0 is never."""
    assert not idle_with(unload_after_s=0).should_unload(10**9 * S)
