"""Which jobs wait, which run and which are turned away."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wilor_protocol.errors import ErrorCode
from wilor_sidecar.jobs import Job
from wilor_sidecar.scheduler import Scheduler, Turned

from .fakes import hand_of, job_of, request_of

MS = 1_000_000
LIMIT = 8


def a_job(
    source: str = "a", *, captured_ms: int = 0, crops: int = 1, deadline_ms: float | None = None, frame: int = 1
) -> Job:
    """A job of so many hands, of a frame taken at this time."""
    hands = [hand_of()] * crops
    return job_of(
        request_of(hands, source=source, frame=frame, captured_at_ns=round(captured_ms * MS), deadline_ms=deadline_ms)
    )


@pytest.fixture
def scheduler() -> Scheduler:
    """With room for as many crops as the daemon's."""
    return Scheduler(max_batch_crops=LIMIT)


def batch_of(scheduler: Scheduler, now_ns: int = 0) -> list[Job]:
    """The next batch, when nothing has expired."""
    batch, expired = scheduler.take(now_ns)
    assert expired == []
    return batch


def offer(scheduler: Scheduler, job: Job) -> Turned | None:
    """Offer a job long before anything expires; the one that had to give way."""
    turned = scheduler.offer(job, -(2**62))
    assert len(turned) <= 1
    return turned[0] if turned else None


def assert_turned(turned: Turned | None, job: Job, code: ErrorCode) -> None:
    """This very job was turned away, for that reason."""
    assert turned is not None
    assert turned.job is job
    assert turned.code is code


def test_nothing_waits_at_first(scheduler: Scheduler) -> None:
    """A fresh scheduler has an empty batch."""
    assert scheduler.waiting_crops == 0
    assert scheduler.take(0) == ([], [])


def test_a_newer_frame_takes_the_place_of_an_older(scheduler: Scheduler) -> None:
    """Of two frames of a source the newer runs, and the older is told that it was superseded, by which."""
    older, newer = a_job(captured_ms=1), a_job(captured_ms=2, frame=77)
    assert offer(scheduler, older) is None
    turned = offer(scheduler, newer)
    assert_turned(turned, older, ErrorCode.SUPERSEDED)
    assert turned is not None
    assert "77" in turned.why
    assert batch_of(scheduler) == [newer]


def test_an_older_latecomer_is_itself_told(scheduler: Scheduler) -> None:
    """The newer frame wins also when it arrives first."""
    newer, older = a_job(captured_ms=2), a_job(captured_ms=1)
    offer(scheduler, newer)
    assert_turned(offer(scheduler, older), older, ErrorCode.SUPERSEDED)
    assert batch_of(scheduler) == [newer]


def test_of_two_frames_of_one_moment_the_later_arrival_wins(scheduler: Scheduler) -> None:
    """A client without a clock of its own still gets its last frame."""
    first, second = a_job(captured_ms=1), a_job(captured_ms=1)
    offer(scheduler, first)
    assert_turned(offer(scheduler, second), first, ErrorCode.SUPERSEDED)
    assert batch_of(scheduler) == [second]


def test_sources_do_not_compete(scheduler: Scheduler) -> None:
    """An older frame of another source waits beside a newer one."""
    jobs = [a_job("a", captured_ms=9), a_job("b", captured_ms=1)]
    assert [offer(scheduler, job) for job in jobs] == [None, None]
    assert batch_of(scheduler) == jobs


def test_a_superseded_source_may_come_again_after_a_batch(scheduler: Scheduler) -> None:
    """What has been taken competes with nobody: even an older frame may then wait."""
    newer, older = a_job(captured_ms=2), a_job(captured_ms=1)
    offer(scheduler, newer)
    batch_of(scheduler)
    assert offer(scheduler, older) is None
    assert batch_of(scheduler) == [older]


@pytest.mark.parametrize("crops", [1, 2, 4, 8])
def test_busy_starts_one_crop_above_the_limit(scheduler: Scheduler, crops: int) -> None:
    """Exactly the limit waits; one crop more is busy, and what waits is not touched by it."""
    jobs = [a_job(f"source {index}", crops=crops) for index in range(LIMIT // crops)]
    assert [offer(scheduler, job) for job in jobs] == [None] * len(jobs)
    assert scheduler.waiting_crops == LIMIT
    one_more = a_job("one more")
    assert_turned(offer(scheduler, one_more), one_more, ErrorCode.BUSY)
    assert batch_of(scheduler) == jobs


def test_a_frame_of_several_hands_is_busy_as_a_whole(scheduler: Scheduler) -> None:
    """With room for three, a frame of three waits and a frame of four does not, not even in part."""
    offer(scheduler, a_job("a", crops=5))
    four, three = a_job("b", crops=4), a_job("c", crops=3)
    assert_turned(offer(scheduler, four), four, ErrorCode.BUSY)
    assert scheduler.waiting_crops == 5
    assert offer(scheduler, three) is None
    assert scheduler.waiting_crops == LIMIT


def test_a_newer_frame_of_a_waiting_source_is_never_busy(scheduler: Scheduler) -> None:
    """When all is full, a newer frame takes its rival's room."""
    rival = a_job("a", crops=4, captured_ms=1)
    other, newer = a_job("b", crops=4), a_job("a", crops=4, captured_ms=2)
    offer(scheduler, rival)
    offer(scheduler, other)
    assert_turned(offer(scheduler, newer), rival, ErrorCode.SUPERSEDED)
    assert batch_of(scheduler) == [newer, other]


def test_a_newer_frame_with_more_hands_than_room_leaves_its_rival(scheduler: Scheduler) -> None:
    """A newer frame that does not fit is busy, and the older frame still runs."""
    rival, other = a_job("a", crops=4, captured_ms=1), a_job("b", crops=4)
    newer = a_job("a", crops=5, captured_ms=2)
    offer(scheduler, rival)
    offer(scheduler, other)
    assert_turned(offer(scheduler, newer), newer, ErrorCode.BUSY)
    assert batch_of(scheduler) == [rival, other]


def test_batches_keep_the_order_of_arrival(scheduler: Scheduler) -> None:
    """First come, first in the batch, whatever the frames' own times and names."""
    jobs = [a_job(name, captured_ms=captured_ms) for name, captured_ms in (("z", 5), ("a", 9), ("m", 1))]
    for job in jobs:
        offer(scheduler, job)
    assert batch_of(scheduler) == jobs


def test_a_newer_frame_stands_where_its_rival_stood(scheduler: Scheduler) -> None:
    """A fast camera is not sent to the end of the row by each of its frames."""
    first, second = a_job("a", captured_ms=1), a_job("b")
    newer = a_job("a", captured_ms=2)
    for job in (first, second, newer):
        offer(scheduler, job)
    assert batch_of(scheduler) == [newer, second]


def test_a_job_runs_up_to_its_deadline_and_not_after(scheduler: Scheduler) -> None:
    """At exactly `deadline_ms` a frame still runs; a nanosecond later it is expired, with its age."""
    deadline_ns = 10 * MS + 25 * MS
    punctual = a_job(captured_ms=10, deadline_ms=25)
    offer(scheduler, punctual)
    assert batch_of(scheduler, deadline_ns) == [punctual]
    late = a_job(captured_ms=10, deadline_ms=25)
    offer(scheduler, late)
    batch, expired = scheduler.take(deadline_ns + 1)
    assert batch == []
    assert_turned(expired[0], late, ErrorCode.EXPIRED)
    assert "25.0 ms old" in expired[0].why
    assert scheduler.waiting_crops == 0


def test_a_deadline_of_zero_is_a_deadline(scheduler: Scheduler) -> None:
    """Zero milliseconds are not taken for no deadline."""
    offer(scheduler, a_job(captured_ms=10, deadline_ms=0))
    batch, expired = scheduler.take(10 * MS + 1)
    assert (len(batch), len(expired)) == (0, 1)


def test_without_a_deadline_no_frame_is_too_old(scheduler: Scheduler) -> None:
    """`deadline_ms` None means: no matter how old."""
    job = a_job(captured_ms=0)
    offer(scheduler, job)
    assert batch_of(scheduler, 2**62) == [job]


def test_expired_jobs_leave_the_others_alone(scheduler: Scheduler) -> None:
    """One source's late frame does not keep the rest of the batch."""
    late, fine = a_job("a", deadline_ms=1), a_job("b", deadline_ms=9)
    offer(scheduler, late)
    offer(scheduler, fine)
    batch, expired = scheduler.take(5 * MS)
    assert batch == [fine]
    assert [turned.job for turned in expired] == [late]


def test_an_expired_job_frees_its_place_at_once(scheduler: Scheduler) -> None:
    """While a batch runs, what has become too old is told so, and a new frame has its room."""
    late = a_job("a", crops=LIMIT, deadline_ms=10)
    offer(scheduler, late)
    assert scheduler.expire(10 * MS) == []
    [turned] = scheduler.expire(10 * MS + 1)
    assert_turned(turned, late, ErrorCode.EXPIRED)
    assert scheduler.waiting_crops == 0
    assert offer(scheduler, a_job("b", crops=LIMIT)) is None


def test_an_expired_job_makes_room_for_an_offer(scheduler: Scheduler) -> None:
    """Nobody is told that all is full because of a frame that will not run."""
    late, fine = a_job("a", crops=LIMIT, deadline_ms=10), a_job("b", crops=LIMIT)
    offer(scheduler, late)
    [turned] = scheduler.offer(fine, 11 * MS)
    assert_turned(turned, late, ErrorCode.EXPIRED)
    assert batch_of(scheduler) == [fine]


def test_a_job_that_comes_too_late_supersedes_nothing(scheduler: Scheduler) -> None:
    """A frame that is too old on arrival is told so, and the one that waits stays."""
    waiting, late = a_job("a", captured_ms=1), a_job("a", captured_ms=2, deadline_ms=1)
    offer(scheduler, waiting)
    [turned] = scheduler.offer(late, 4 * MS)
    assert_turned(turned, late, ErrorCode.EXPIRED)
    assert batch_of(scheduler) == [waiting]


def test_the_next_expiry_is_the_earliest(scheduler: Scheduler) -> None:
    """The daemon knows when to look again: at the first deadline of all that wait, and not at all without one."""
    assert scheduler.next_expiry_ns is None
    offer(scheduler, a_job("a"))
    assert scheduler.next_expiry_ns is None
    for name, deadline_ms in (("b", 30), ("c", 20), ("d", 25)):
        offer(scheduler, a_job(name, captured_ms=5, deadline_ms=deadline_ms))
    assert scheduler.next_expiry_ns == 25 * MS


def test_clear_turns_everything_away(scheduler: Scheduler) -> None:
    """Whoever waits is told the given reason, once, and there is room again."""
    jobs = [a_job("a", crops=3), a_job("b", crops=5)]
    for job in jobs:
        offer(scheduler, job)
    turned = scheduler.clear(ErrorCode.DRAINING, "the daemon is stopping")
    assert [one.job for one in turned] == jobs
    assert {(one.code, one.why) for one in turned} == {(ErrorCode.DRAINING, "the daemon is stopping")}
    assert scheduler.clear(ErrorCode.DRAINING, "") == []
    assert scheduler.take(0) == ([], [])
    assert offer(scheduler, a_job("c", crops=LIMIT)) is None


OFFERS = st.tuples(
    st.sampled_from(["a", "b", "c", "d"]),
    st.integers(0, 50),
    st.integers(1, LIMIT),
    st.none() | st.integers(0, 30),
)
TAKES = st.integers(0, 100)


@settings(deadline=None)
@given(st.lists(OFFERS | TAKES, max_size=30))
def test_every_job_comes_out_exactly_once(steps: list[tuple[str, int, int, int | None] | int]) -> None:
    """Over any offers and takes: no job is lost or answered twice, the limit holds, nothing expired runs."""
    scheduler = Scheduler(max_batch_crops=LIMIT)
    offered: list[Job] = []
    left: list[Job] = []
    now_ms = 0
    for step in steps:
        if isinstance(step, int):
            now_ms = max(now_ms, step)
            batch, expired = scheduler.take(now_ms * MS)
            assert sum(job.crops for job in batch) <= LIMIT
            assert not any(is_too_old(job, now_ms * MS) for job in batch)
            assert all(is_too_old(turned.job, now_ms * MS) for turned in expired)
            assert scheduler.waiting_crops == 0
            left += [*batch, *(turned.job for turned in expired)]
        else:
            source, captured_ms, crops, deadline_ms = step
            job = a_job(source, captured_ms=captured_ms, crops=crops, deadline_ms=deadline_ms)
            offered.append(job)
            left += [turned.job for turned in scheduler.offer(job, now_ms * MS)]
        assert scheduler.waiting_crops <= LIMIT
        still = len(offered) - len(left)
        assert (still == 0) == (scheduler.waiting_crops == 0)
    left += [turned.job for turned in scheduler.clear(ErrorCode.DRAINING, "")]
    assert Counter(map(id, left)) == Counter(map(id, offered))
    assert set(Counter(map(id, left)).values()) <= {1}


def is_too_old(job: Job, now_ns: int) -> bool:
    """The deadline's rule, in whole nanoseconds."""
    deadline_ms = job.request.deadline_ms
    return deadline_ms is not None and now_ns > job.request.captured_at_ns + int(deadline_ms) * MS
