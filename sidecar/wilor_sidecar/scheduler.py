"""What to run next, and what not to run at all. Pure: no sockets, no threads, no clock of its own.

A pose is judged by its age. So of each source only the newest frame waits, what is older than its sender wants is not
run, and no more waits than the next batch can take.
"""

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

    def offer(self, job: Job) -> Turned | None:
        """Let a job wait.

        Returns:
            The one job that had to give way: an older frame of the same source, or the job itself when it is the older
            one or when nothing more can wait. None when both have room.
        """
        source = job.request.source
        rival = self._waiting.get(source)
        if rival is not None and rival.request.captured_at_ns > job.request.captured_at_ns:
            return _superseded(job, rival)
        others = self.waiting_crops - (rival.crops if rival else 0)
        if others + job.crops > self.max_batch_crops:
            return Turned(job, ErrorCode.BUSY, f"{others} crops wait and {self.max_batch_crops} may")
        self._waiting[source] = job  # in its rival's place in the row, if it had one
        return _superseded(rival, job) if rival else None

    def take(self, now_ns: int) -> tuple[list[Job], list[Turned]]:
        """The next batch, everything that waits, and the jobs whose frames have become too old for it."""
        jobs = list(self._waiting.values())
        self._waiting.clear()
        batch = [job for job in jobs if not job.is_expired(now_ns)]
        return batch, [_expired(job, now_ns) for job in jobs if job.is_expired(now_ns)]

    def clear(self, code: ErrorCode, why: str) -> list[Turned]:
        """Turn away everything that waits."""
        jobs = list(self._waiting.values())
        self._waiting.clear()
        return [Turned(job, code, why) for job in jobs]


def _superseded(older: Job, newer: Job) -> Turned:
    return Turned(older, ErrorCode.SUPERSEDED, f"frame {newer.request.frame} of the same source is newer")


def _expired(job: Job, now_ns: int) -> Turned:
    age_ms = (now_ns - job.request.captured_at_ns) / 1e6
    return Turned(job, ErrorCode.EXPIRED, f"the frame is {age_ms:.1f} ms old, deadline_ms is {job.request.deadline_ms}")
