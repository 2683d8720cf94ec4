"""Where requests become answers: every request gets one reply.

It decides; the channels move the bytes, the scheduler picks, the engine computes.
"""

import logging
import time
from collections.abc import Sequence

import msgspec

from wilor_protocol import limits
from wilor_protocol.codec import decode_request, encode
from wilor_protocol.errors import ErrorCode, Refusal
from wilor_protocol.hands import Hand
from wilor_protocol.replies import EstimateReply, Queue, RefusalReply, Reply, State, Timing
from wilor_protocol.requests import (
    AnyRequest,
    EstimateRequest,
    HelloRequest,
    PingRequest,
    StatusRequest,
    TopologyRequest,
    Want,
)
from wilor_sidecar.about import About, topology
from wilor_sidecar.channels import Letter, RequestChannel
from wilor_sidecar.engine import BatchDone, Echoed, Engine, Loaded, LoadFailed, Report, WarmedUp
from wilor_sidecar.estimator import BadImageError, Frame
from wilor_sidecar.jobs import Job, Route
from wilor_sidecar.life import Life
from wilor_sidecar.metrics import Metrics
from wilor_sidecar.publisher import Publisher
from wilor_sidecar.run_directory import RunDirectory
from wilor_sidecar.scheduler import Scheduler, Turned
from wilor_sidecar.sd_notify import Notifier

log = logging.getLogger(__name__)

_MALFORMED = {ErrorCode.BAD_REQUEST, ErrorCode.TOO_LARGE, ErrorCode.UNSUPPORTED_VERSION}
"""A client with these has a fault that its author wants to hear of."""
_NOT_READY = {"draining": ErrorCode.DRAINING, "degraded": ErrorCode.ENGINE_ERROR}


class Desk:
    """Answers clients.

    Attributes:
        life: the daemon's state.
    """

    def __init__(
        self,
        *,
        requests: RequestChannel,
        publisher: Publisher,
        engine: Engine,
        directory: RunDirectory,
        notifier: Notifier,
    ) -> None:
        self.life = Life(self._state_has_changed)
        self._requests = requests
        self._publisher = publisher
        self._engine = engine
        self._notifier = notifier
        self._scheduler = Scheduler(max_batch_crops=limits.MAX_HANDS)
        self._metrics = Metrics()
        self._about = About(self.life, publisher, self._metrics, directory)
        self._running_crops = 0

    @property
    def is_running(self) -> bool:
        """Whether a batch is in the network."""
        return self._running_crops > 0

    # What comes in

    def take_letter(self, letter: Letter) -> None:
        """Answer a message, or queue it for the network. Whatever it holds, it gets one reply."""
        received_at_ns = time.monotonic_ns()
        try:
            self._take_request(letter.route, _read(letter), received_at_ns)
        except Refusal as refusal:
            self._refuse(letter.route, refusal)
        except Exception:  # the dispatch loop: a mistake of ours costs one request, not the daemon
            log.exception("a request could not be handled")
            self._refuse(letter.route, Refusal(ErrorCode.INTERNAL, "the daemon made a mistake; its log says more"))

    def _take_request(self, route: Route, request: AnyRequest, received_at_ns: int) -> None:
        self._metrics.count_request(request)
        match request:
            case HelloRequest():
                self._reply(route, self._about.hello(request))
            case StatusRequest():
                self._reply(route, self._about.status(request, self._queue()))
            case PingRequest(deep=True):
                self._require_ready(request.id)
                self._engine.echo(route, request)
            case PingRequest():
                self._reply(route, self._about.pong(request))
            case TopologyRequest():
                self._reply(route, topology(request, self._require_loaded(request.id)))
            case EstimateRequest():
                self._take_estimate(route, request, received_at_ns)

    def _take_estimate(self, route: Route, request: EstimateRequest, received_at_ns: int) -> None:
        self._require_ready(request.id)
        try:
            frame = Frame.of_request(request)
        except BadImageError as error:
            raise Refusal(ErrorCode.BAD_REQUEST, str(error), request_id=request.id) from error
        turned = self._scheduler.offer(Job(route, frame, received_at_ns))
        if turned is not None:
            self._turn_away([turned])

    def _require_ready(self, request_id: int) -> None:
        if self.life.state != "ready":
            code = _NOT_READY.get(self.life.state, ErrorCode.LOADING)
            raise Refusal(code, f"{self.life.state}: {self.life.reason}", request_id=request_id)

    def _require_loaded(self, request_id: int) -> Loaded:
        if self._about.loaded is None:
            code = _NOT_READY.get(self.life.state, ErrorCode.LOADING)
            raise Refusal(code, f"{self.life.state}: {self.life.reason}", request_id=request_id)
        return self._about.loaded

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
                self._about.loaded = report
                self._become("warming", "running every batch size once")
            case WarmedUp(memory):
                self._about.memory = memory
                self._become("ready", self._about.service())
            case LoadFailed(why):
                self._become("degraded", why)
            case BatchDone():
                self._running_crops = 0
                self._about.memory = report.memory
                self._finish(report)
            case Echoed(route, request):
                self._reply(route, self._about.pong(request))

    def _become(self, state: State, reason: str) -> None:
        """Follow the engine's news, unless the daemon is already on its way out."""
        if self.life.state != "draining":
            self.life.become(state, reason)

    # What goes to the network and comes back

    def dispatch(self) -> None:
        """Give the engine its next batch, if it is idle and something waits."""
        if self.is_running or not self._scheduler.waiting_crops:
            return
        batch, expired = self._scheduler.take(time.monotonic_ns())
        self._turn_away(expired)
        if batch:
            self._running_crops = sum(job.crops for job in batch)
            self._metrics.count_batch(self._running_crops)
            self._engine.run(batch)

    def turn_away_waiting(self, code: ErrorCode, why: str) -> None:
        """Refuse everything that waits."""
        self._turn_away(self._scheduler.clear(code, why))

    def _turn_away(self, turned: Sequence[Turned]) -> None:
        for one in turned:
            self._refuse(one.job.route, Refusal(one.code, one.why, request_id=one.job.request.id))

    def _finish(self, done: BatchDone) -> None:
        for job, result in zip(done.jobs, done.results, strict=True):
            if isinstance(result, Exception):
                self._refuse(job.route, Refusal(ErrorCode.ENGINE_ERROR, str(result), request_id=job.request.id))
            else:
                self._answer(job, result, _timing(job, done))

    def _answer(self, job: Job, hands: list[Hand], timing: Timing) -> None:
        """Reply first, to the one who waits; then publish."""
        request = job.request
        seq = self._publisher.next_seq(request.source) if request.publish else None
        wanted = hands if request.want is None else [_only(hand, request.want) for hand in hands]
        epoch = self._publisher.epoch
        self._reply(job.route, EstimateReply(id=request.id, seq=seq, epoch=epoch, hands=wanted, timing=timing))
        self._metrics.count_answer(timing)
        if seq is not None:
            model = self._about.model
            self._publisher.publish_hands(seq, request, hands, timing, model.name if model else "")

    # What goes out

    def _reply(self, route: Route, reply: Reply) -> None:
        self._requests.reply(route, encode(reply))

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

    def _queue(self) -> Queue:
        return Queue(
            waiting_crops=self._scheduler.waiting_crops,
            waiting_limit=self._scheduler.max_batch_crops,
            running_crops=self._running_crops,
        )


def _read(letter: Letter) -> AnyRequest:
    if letter.body is None:
        raise Refusal(ErrorCode.BAD_REQUEST, "frames: expected one body after the empty frame, got none or several")
    if len(letter.body) > limits.MAX_REQUEST_BYTES:
        raise Refusal(
            ErrorCode.TOO_LARGE, f"body: expected at most {limits.MAX_REQUEST_BYTES} bytes, got {len(letter.body)}"
        )
    return decode_request(letter.body)


def _timing(job: Job, done: BatchDone) -> Timing:
    return Timing(
        received_at_ns=job.received_at_ns,
        queue_ms=_ms(done.started_at_ns - job.received_at_ns),
        model_ms=_ms(done.finished_at_ns - done.started_at_ns),
        total_ms=_ms(time.monotonic_ns() - job.received_at_ns),
        batch=sum(each.crops for each in done.jobs),
    )


def _ms(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 3)


_FIELDS_OF: dict[Want, tuple[str, ...]] = {
    "keypoints": ("keypoints",),
    "vertices": ("vertices",),
    "camera": ("camera", "keypoints_2d", "translation", "focal_px"),
    "mano": ("mano",),
}


def _only(hand: Hand, want: Sequence[Want]) -> Hand:
    """The hand without the parts that were not wanted."""
    unwanted = [field for part, fields in _FIELDS_OF.items() if part not in want for field in fields]
    return msgspec.structs.replace(hand, **dict.fromkeys(unwanted))
