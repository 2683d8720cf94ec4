"""Where requests become answers: every request gets one reply.

It decides; the channels move the bytes, the scheduler picks, the engine computes.
"""

import logging
import time
from collections.abc import Sequence

from wilor_protocol import limits
from wilor_protocol.codec import encode
from wilor_protocol.errors import ErrorCode, Refusal
from wilor_protocol.hands import Hand
from wilor_protocol.replies import EstimateReply, Queue, RefusalReply, Reply, Timing
from wilor_protocol.requests import (
    AnyRequest,
    EstimateRequest,
    HelloRequest,
    PingRequest,
    StatusRequest,
    TopologyRequest,
)
from wilor_sidecar.about import About, topology
from wilor_sidecar.answers import check_capture_time, request_in, timing_of, wanted_parts
from wilor_sidecar.channels import Letter, RequestChannel
from wilor_sidecar.engine import Broken, Echoed, Engine, Loaded, LoadFailed, Report, Tested, Unloaded, WarmedUp
from wilor_sidecar.estimator import BadImageError
from wilor_sidecar.host_sleep import HostSleep
from wilor_sidecar.idle import Idle
from wilor_sidecar.jobs import Job, Route
from wilor_sidecar.life import Life
from wilor_sidecar.metrics import Metrics
from wilor_sidecar.network_keeper import NetworkKeeper
from wilor_sidecar.publisher import Publisher
from wilor_sidecar.run_directory import RunDirectory
from wilor_sidecar.runner import BatchDone
from wilor_sidecar.scheduler import Scheduler, Turned
from wilor_sidecar.sd_notify import Notifier

log = logging.getLogger(__name__)

_MALFORMED = {ErrorCode.BAD_REQUEST, ErrorCode.TOO_LARGE, ErrorCode.UNSUPPORTED_VERSION}
"""A client with these has a fault that its author wants to hear of."""
_NOT_READY = {
    "draining": ErrorCode.DRAINING,
    "degraded": ErrorCode.ENGINE_ERROR,
    "failed": ErrorCode.ENGINE_ERROR,
}
_MOST_DEEP_PINGS = 64


class Desk:
    """Answers clients.

    Attributes:
        life: the daemon's state.
        keeper: of the network.
    """

    def __init__(
        self,
        *,
        requests: RequestChannel,
        publisher: Publisher,
        engine: Engine,
        directory: RunDirectory,
        notifier: Notifier,
        idle: Idle,
        sleep: HostSleep,
    ) -> None:
        self.life = Life(self._state_has_changed)
        self._requests = requests
        self._publisher = publisher
        self._engine = engine
        self._notifier = notifier
        self._sleep = sleep
        self._scheduler = Scheduler(max_batch_crops=limits.MAX_HANDS)
        self._metrics = Metrics()
        self._about = About(self.life, publisher, self._metrics, directory)
        self.keeper = NetworkKeeper(engine=engine, life=self.life, about=self._about, metrics=self._metrics, idle=idle)
        self._running: list[Job] = []
        self._deep_pings: list[tuple[Route, PingRequest]] = []

    @property
    def has_work_in_hand(self) -> bool:
        """Whether somebody's reply still has to come from the engine."""
        return bool(self._running or self._deep_pings)

    @property
    def next_expiry_ns(self) -> int | None:
        """When `dispatch` has something to refuse, on the monotonic clock; None: not because of the time."""
        return self._scheduler.next_expiry_ns

    # What comes in

    def take_letter(self, letter: Letter) -> None:
        """Answer a message, or queue it for the network. Whatever it holds, it gets one reply."""
        received_at_ns = time.monotonic_ns()
        try:
            self._take_request(letter.route, self._request_in(letter), received_at_ns)
        except Refusal as refusal:
            self._refuse(letter.route, refusal)
        except Exception:  # the dispatch loop: a mistake of ours costs one request, not the daemon
            log.exception("a request could not be handled")
            self._refuse(letter.route, Refusal(ErrorCode.INTERNAL, "the daemon made a mistake; its log says more"))

    def _request_in(self, letter: Letter) -> AnyRequest:
        """What a letter asks. Every letter is counted as a request, so that requests, answers and refusals balance."""
        try:
            request = request_in(letter)
        except Exception:
            self._metrics.count_request(None)
            raise
        self._metrics.count_request(request)
        return request

    def _take_request(self, route: Route, request: AnyRequest, received_at_ns: int) -> None:
        match request:
            case HelloRequest():
                self._reply(route, request, self._about.hello(request))
            case StatusRequest():
                self._reply(route, request, self._about.status(request, self._queue()))
            case PingRequest(deep=True):
                self._take_deep_ping(route, request, received_at_ns)
            case PingRequest():
                self._reply(route, request, self._about.pong(request))
            case TopologyRequest():
                self._reply(route, request, topology(request, self._require_loaded(request.id)))
            case EstimateRequest():
                check_capture_time(request, received_at_ns)
                self._require_ready(request.id, received_at_ns)
                if complaint := self._sleep.complaint(request.captured_at_ns):
                    raise Refusal(ErrorCode.EXPIRED, complaint, request_id=request.id)
                self._turn_away(self._scheduler.offer(Job(route, request, received_at_ns), received_at_ns))

    def _take_deep_ping(self, route: Route, request: PingRequest, received_at_ns: int) -> None:
        self._require_ready(request.id, received_at_ns)
        if len(self._deep_pings) >= _MOST_DEEP_PINGS:
            raise Refusal(ErrorCode.BUSY, f"{_MOST_DEEP_PINGS} deep pings wait already", request_id=request.id)
        self._deep_pings.append((route, request))
        self._engine.echo(route, request)

    def _require_ready(self, request_id: int, now_ns: int) -> None:
        self.keeper.note_use(now_ns)
        if self.life.state != "ready":
            raise self._not_ready(request_id)

    def _require_loaded(self, request_id: int) -> Loaded:
        if self._about.loaded is None:
            raise self._not_ready(request_id)
        return self._about.loaded

    def _not_ready(self, request_id: int) -> Refusal:
        code = _NOT_READY.get(self.life.state, ErrorCode.LOADING)
        return Refusal(code, f"{self.life.state}: {self.life.reason}", request_id=request_id)

    def take_subscriptions(self) -> None:
        """Take note of who listens; tell a new listener of the state how things are."""
        if self._publisher.owes_state_to_new_subscribers():
            self._announce()

    def take_reports(self) -> None:
        """Act on what the engine has reported."""
        for report in self._engine.reports():
            self._take_report(report)

    def _take_report(self, report: Report) -> None:
        match report:
            case Loaded():
                self.keeper.has_loaded(report)
            case WarmedUp(memory):
                self.keeper.has_warmed_up(memory)
            case LoadFailed(why):
                self.keeper.load_later(why)
            case BatchDone() if report.jobs is self._running:  # else its senders were told that we give up
                self._running = []
                self._about.memory = report.memory
                self.keeper.note_work(report.finished_at_ns)
                self._finish(report)
            case Echoed(route, request) if (route, request) in self._deep_pings:
                self._deep_pings.remove((route, request))
                self._reply(route, request, self._about.pong(request))
            case Unloaded(memory):
                self.keeper.has_left(memory)
            case Tested():
                self._resume()
            case Broken(why):
                self.fail(why)

    def fail(self, why: str) -> None:
        """Give up: tell everybody who waits for an answer, and everybody who listens. The process must end now."""
        if self.life.state in ("failed", "stopped"):
            return
        self._about.model_ready = False
        if self.life.state != "draining":
            self.life.become("failed", why)
        refused = [(job.route, job.request.id) for job in self._running]
        refused += [(route, ping.id) for route, ping in self._deep_pings]
        self._running, self._deep_pings = [], []
        for route, request_id in refused:
            self._refuse(route, Refusal(ErrorCode.ENGINE_ERROR, f"failed: {why}", request_id=request_id))
        self.turn_away_waiting(ErrorCode.ENGINE_ERROR, f"failed: {why}")

    # What goes to the network and comes back

    def dispatch(self) -> None:
        """Refuse what has become too old, and give the engine its next batch if it is idle and something waits."""
        now_ns = time.monotonic_ns()
        self._turn_away(self._scheduler.expire(now_ns))
        if self._running or self.life.state != "ready":
            return
        self._running, expired = self._scheduler.take(now_ns)
        self._turn_away(expired)
        if self._running:
            self._metrics.count_batch(self._running_crops)
            self._engine.run(self._running)

    def look_for_sleep(self) -> None:
        """If the host has slept: refuse what is from before that, and have the network tested before all that follows.

        By the monotonic clock, which stood still, such a frame is new. One that comes later is looked at when it comes.
        """
        sleep = self._sleep.look()
        if sleep is None:
            return
        log.info("the host slept for %.0f s", sleep.slept_s)
        why = f"the host slept for {sleep.slept_s:.0f} s after this frame came"
        self.turn_away_waiting(ErrorCode.EXPIRED, why)
        running, self._running = self._running, []
        for job in running:
            self._refuse(job.route, Refusal(ErrorCode.EXPIRED, why, request_id=job.request.id))
        if self.life.state == "ready":
            self._engine.test()
        else:
            self._resume()

    def _resume(self) -> None:
        """From here on every event says that the host has slept once more."""
        self._publisher.resumed += 1
        self._metrics.count("resumed")
        self._announce()

    def turn_away_waiting(self, code: ErrorCode, why: str) -> None:
        """Refuse everything that waits."""
        self._turn_away(self._scheduler.clear(code, why))

    def _turn_away(self, turned: Sequence[Turned]) -> None:
        for one in turned:
            self._refuse(one.job.route, Refusal(one.code, one.why, request_id=one.job.request.id))

    def _finish(self, done: BatchDone) -> None:
        self._metrics.count_outcome(done)
        for job, result in zip(done.jobs, done.results, strict=True):
            if isinstance(result, Exception):
                code = ErrorCode.BAD_REQUEST if isinstance(result, BadImageError) else ErrorCode.ENGINE_ERROR
                self._refuse(job.route, Refusal(code, str(result), request_id=job.request.id))
            else:
                self._answer(job, result, timing_of(job, done))

    def _answer(self, job: Job, hands: list[Hand], timing: Timing) -> None:
        """Reply first, to the one who waits; then publish."""
        request = job.request
        seq = self._publisher.next_seq(request.source) if request.publish else None
        wanted = wanted_parts(hands, request.want)
        epoch = self._publisher.epoch
        self._reply(job.route, request, EstimateReply(id=request.id, seq=seq, epoch=epoch, hands=wanted, timing=timing))
        self._metrics.note_times(timing)
        if seq is not None:
            model = self._about.model
            self._publisher.publish_hands(seq, request, hands, timing, model.name if model else "")

    # What goes out

    def _reply(self, route: Route, request: AnyRequest, reply: Reply) -> None:
        self._requests.reply(route, encode(reply))
        self._metrics.count_answer(request)

    def _refuse(self, route: Route, refusal: Refusal) -> None:
        self._metrics.count_refusal(refusal.error.code)
        if refusal.error.code in _MALFORMED:
            log.warning("a client sent what cannot be answered: %s: %s", refusal.error.code, refusal.error.message)
        self._requests.reply(route, encode(RefusalReply(id=refusal.request_id, error=refusal.error)))

    def _state_has_changed(self) -> None:
        self._notifier.tell(self.life.state, self.life.reason)
        self._announce()

    def _announce(self) -> None:
        self._publisher.publish_state(self.life.state, self.life.reason, self._about.model)

    @property
    def _running_crops(self) -> int:
        return sum(job.crops for job in self._running)

    def _queue(self) -> Queue:
        return Queue(
            waiting_crops=self._scheduler.waiting_crops,
            waiting_limit=self._scheduler.max_batch_crops,
            running_crops=self._running_crops,
        )
