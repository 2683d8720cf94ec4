"""The states of the daemon and which may follow which."""

from itertools import product
from typing import get_args

import pytest

from wilor_protocol.replies import State
from wilor_sidecar.life import Life

WAYS: dict[State, tuple[State, ...]] = {
    "starting": (),
    "loading": ("loading",),
    "warming": ("loading", "warming"),
    "ready": ("loading", "warming", "ready"),
    "degraded": ("loading", "degraded"),
    "draining": ("draining",),
    "stopped": ("draining", "stopped"),
    "failed": ("failed",),
}
"""How a life comes into each state."""

FOLLOWERS: dict[State, set[State]] = {
    "starting": {"loading", "degraded", "draining", "failed"},
    "loading": {"loading", "warming", "degraded", "draining", "failed"},
    "warming": {"ready", "degraded", "draining", "failed"},
    "ready": {"loading", "degraded", "draining", "failed"},
    "degraded": {"loading", "draining", "failed"},
    "draining": {"stopped"},
    "stopped": set(),
    "failed": set(),
}
"""What a client may see after each state: written down twice, so that a change is meant."""


class Recorder:
    """A life that has come into a state, and what it announces from then on, as seen by its listener."""

    def __init__(self, state: State) -> None:
        self.announced: list[tuple[State, str]] = []
        self.life = Life(self._take_note)
        for each in WAYS[state]:
            self.life.become(each, "on the way")
        self.announced.clear()

    def _take_note(self) -> None:
        self.announced.append((self.life.state, self.life.reason))


def test_a_life_begins_starting() -> None:
    """Before anything has happened the state is `starting`, with a reason, and nothing has been announced."""
    recorder = Recorder("starting")
    assert recorder.life.state == "starting"
    assert recorder.life.reason
    assert recorder.announced == []


def test_every_state_of_the_wire_is_in_the_table() -> None:
    """No state that a client may be told of is unknown to the daemon, or the other way round."""
    assert set(WAYS) == set(FOLLOWERS) == set(get_args(State))


@pytest.mark.parametrize(("state", "follower"), list(product(get_args(State), repeat=2)))
def test_what_may_follow_what(state: State, follower: State) -> None:
    """A change that may be is announced once, when it is done; any other is a mistake and changes nothing."""
    recorder = Recorder(state)
    reason = recorder.life.reason
    if follower in FOLLOWERS[state]:
        recorder.life.become(follower, "because")
        assert (recorder.life.state, recorder.life.reason) == (follower, "because")
        assert recorder.announced == [(follower, "because")]
    else:
        with pytest.raises(RuntimeError, match=f"{state} cannot become {follower}"):
            recorder.life.become(follower, "because")
        assert (recorder.life.state, recorder.life.reason) == (state, reason)
        assert recorder.announced == []


@pytest.mark.parametrize("end", ["stopped", "failed"])
def test_every_life_can_end(end: State) -> None:
    """Whatever happens, the daemon can end; only on its way to a stop it does not fail any more."""
    reached: set[State] = {end}
    while more := {state for state in FOLLOWERS if FOLLOWERS[state] & reached} - reached:
        reached |= more
    assert reached == set(FOLLOWERS) - ({"failed"} if end == "stopped" else {"draining", "stopped"})


def test_a_change_is_logged_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    """Each change is one line for people."""
    with caplog.at_level("INFO"):
        Recorder("ready").life.become("degraded", "the GPU is gone")
    assert [record.getMessage() for record in caplog.records][-1] == "degraded: the GPU is gone"
