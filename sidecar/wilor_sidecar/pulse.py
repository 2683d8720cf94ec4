"""What a thread is doing and how long it may, for who watches it from outside."""

import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that a thread does.

    Attributes:
        name: for people, after "is".
        limit_s: how long it may take before something must be wrong.
        started_at_ns: on the monotonic clock.
        thread_id: of the thread that does it.
    """

    name: str
    limit_s: float
    started_at_ns: int
    thread_id: int


class Pulse:
    """Written by one thread, read by any. A thread that waits for work has no task: it may wait for ever.

    Attributes:
        thread: its name, for people.
        task: what it is at; None while it waits. Another object for each task.
    """

    def __init__(self, thread: str) -> None:
        self.thread = thread
        self.task: Task | None = None

    def begin(self, name: str, limit_s: float) -> None:
        """Start a task; the one before is over."""
        self.task = Task(name, limit_s, time.monotonic_ns(), threading.get_ident())

    def is_overdue(self, now_ns: int) -> bool:
        """Whether the task takes longer than it may."""
        task = self.task
        return task is not None and now_ns - task.started_at_ns > task.limit_s * 1e9

    def rest(self) -> None:
        """Be done with the task."""
        self.task = None
