"""Ends a process whose threads hang. It needs nobody's cooperation: MLX waits for its device without a time limit, and
a thread that waits there can be neither interrupted nor asked.

It counts its own looks instead of reading a clock: a process that was stopped, or a host that slept, has not hung.
"""

import logging
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from wilor_sidecar.pulse import Pulse, Task

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.25
GRACE_S = 1.0
"""Between the warning and the end: long enough to tell the clients."""


class Watchdog:
    """A thread that looks at the others' pulses."""

    def __init__(self, pulses: Sequence[Pulse], *, warn: Callable[[str], None], end: Callable[[str], object]) -> None:
        """Prepare; `start` begins to watch.

        Args:
            pulses: of the threads to watch.
            warn: called once, with what hangs, when a task is over its limit. Must not wait for anything.
            end: called, with the same, when it still is `GRACE_S` later: ends the process, without waiting either.
        """
        self._watched = [_Watched(pulse) for pulse in pulses]
        self._warn = warn
        self._end = end
        self._complaints: list[threading.Thread] = []
        self._should_stop = threading.Event()
        # A daemon thread: the last thing that may keep the process from ending.
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more. What was found gets a moment to reach the log, because the process may end now."""
        self._should_stop.set()
        for complaint in self._complaints:
            complaint.join(GRACE_S)

    def look(self) -> None:
        """Look at every pulse once; the thread does so every `LOOK_EVERY_S`."""
        for watched in self._watched:
            overdue_s = watched.look()
            if overdue_s >= 0 and not watched.was_warned_of:
                watched.was_warned_of = True
                self._complaints.append(_reported(watched.complaint, watched.thread_id))
                self._warn(watched.complaint)
            elif overdue_s >= GRACE_S:
                self._end(watched.complaint)

    def _watch(self) -> None:
        while not self._should_stop.wait(LOOK_EVERY_S):
            self.look()


class _Watched:
    """A pulse, and for how many looks it has been the same.

    Attributes:
        complaint: what hangs, for people.
        thread_id: of the thread that hangs.
        was_warned_of: whether this task was reported.
    """

    def __init__(self, pulse: Pulse) -> None:
        self.complaint = ""
        self.thread_id = 0
        self.was_warned_of = False
        self._pulse = pulse
        self._task: Task | None = None
        self._looks = 0

    def look(self) -> float:
        """By how much the task is over its limit, s; negative when it is not."""
        task = self._pulse.task
        if task is not self._task:
            self._task, self._looks, self.was_warned_of = task, 0, False
        if task is None:
            return -1.0
        self._looks += 1
        self.thread_id = task.thread_id
        self.complaint = f"the {self._pulse.thread} hangs: {task.name} for over {task.limit_s:g} s"
        return self._looks * LOOK_EVERY_S - task.limit_s


def _reported(complaint: str, thread_id: int) -> threading.Thread:
    """Log, on a thread of its own, which is returned: what hangs may hold the log's lock.

    One record, because some of many would be held back, and the thread that hangs first, because a long one is cut.
    """
    arguments = ("%s. %s", complaint, "; ".join(_stacks(thread_id)))
    thread = threading.Thread(target=log.critical, args=arguments, name="complaint", daemon=True)
    thread.start()
    return thread


def _stacks(first_id: int) -> list[str]:
    """Where each thread stands, innermost call first; beginning with this one."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = sorted(sys._current_frames().items(), key=lambda each: each[0] != first_id)
    return [f"{names.get(ident, ident)} is in {_calls(frame)}" for ident, frame in frames]


def _calls(frame: FrameType) -> str:
    calls = reversed(traceback.extract_stack(frame))
    return " < ".join(f"{call.name} ({Path(call.filename).name}:{call.lineno})" for call in calls)
