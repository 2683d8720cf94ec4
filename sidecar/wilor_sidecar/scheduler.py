"""What to run next, and what not to run at all. Pure: no sockets, no threads, no clock of its own.

A pose is judged by its age. So of each source only the newest frame waits, what is older than its sender wants is
turned away the moment that it is, and no more waits than the next batch can take.
"""

from collections.abc import Callable
from dataclasses import dataclass

from wilor_protocol.errors import ErrorCode
from wilor_sidecar.jobs import Job


@dataclass(frozen=True, slots=True)
class Turned:
    """A job that will not run, and why."""

    job: Job
    code: ErrorCode
    why: str


class Scheduler:
    """The jobs that wait, at most one a source."""

    def __init__(self, *, max_batch_crops: int) -> None:
        self.max_batch_crops = max_batch_crops
        self._waiting: dict[str, Job] = {}

    @property
    def waiting_crops(self) -> int:
        """Crops of all jobs that wait."""
        return sum(job.crops for job in self._waiting.values())

    @property
    def next_expiry_ns(self) -> int | None:
        """After this moment `expire` will have something to turn away; None: never, as things are."""
        return min((at for job in self._waiting.values() if (at := job.expires_at_ns) is not None), default=None)

    def offer(self, job: Job, now_ns: int) -> list[Turned]:
        """Let a job wait.

        Returns:
            The jobs that had to give way: what has expired, and besides an older frame of the same source, or the job
            itself when it is the older one, has expired already, or when nothing more can wait.
        """
        expired = self.expire(now_ns)
        if job.is_expired(now_ns):
            return [*expired, _expired(job, now_ns)]
        rival = self._waiting.get(job.request.source)
        if rival is not None and rival.request.captured_at_ns > job.request.captured_at_ns:
            return [*expired, _superseded(job, rival)]
        others = self.waiting_crops - (rival.crops if rival else 0)
        if others + job.crops > self.max_batch_crops:
            return [*expired, Turned(job, ErrorCode.BUSY, f"{others} crops wait and {self.max_batch_crops} may")]
        self._waiting[job.request.source] = job  # in its rival's place in the row, if it had one
        return [*expired, _superseded(rival, job)] if rival else expired

    def expire(self, now_ns: int) -> list[Turned]:
        """Turn away the jobs whose frames have become too old."""
        return self._turn_away(lambda job: job.is_expired(now_ns), lambda job: _expired(job, now_ns))

    def take(self, now_ns: int) -> tuple[list[Job], list[Turned]]:
        """The next batch, everything that waits, and the jobs whose frames have become too old for it."""
        expired = self.expire(now_ns)
        batch = list(self._waiting.values())
        self._waiting.clear()
        return batch, expired

    def clear(self, code: ErrorCode, why: str) -> list[Turned]:
        """Turn away everything that waits."""
        return self._turn_away(lambda _: True, lambda job: Turned(job, code, why))

    def _turn_away(self, whom: Callable[[Job], bool], how: Callable[[Job], Turned]) -> list[Turned]:
        leaving = [job for job in self._waiting.values() if whom(job)]
        for job in leaving:
            del self._waiting[job.request.source]
        return [how(job) for job in leaving]


def _superseded(older: Job, newer: Job) -> Turned:
    return Turned(older, ErrorCode.SUPERSEDED, f"frame {newer.request.frame} of the same source is newer")


def _expired(job: Job, now_ns: int) -> Turned:
    age_ms = (now_ns - job.request.captured_at_ns) / 1e6
    return Turned(job, ErrorCode.EXPIRED, f"the frame is {age_ms:.1f} ms old, deadline_ms is {job.request.deadline_ms}")
