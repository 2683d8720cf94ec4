"""What the daemon says about itself: hello, status, topology, pong."""

import os
import time

from wilor_protocol import limits
from wilor_protocol.names import JOINT_NAMES, JOINT_PARENTS, ROTATION_NAMES, ROTATION_PARENTS
from wilor_protocol.replies import (
    Clocks,
    Endpoints,
    HelloReply,
    Limits,
    Memory,
    ModelInfo,
    PongReply,
    Queue,
    StatusReply,
    TopologyReply,
)
from wilor_protocol.requests import HelloRequest, PingRequest, StatusRequest, TopologyRequest
from wilor_protocol.version import PROTOCOL_VERSION, __version__
from wilor_sidecar.engine import Loaded
from wilor_sidecar.life import Life
from wilor_sidecar.metrics import Metrics
from wilor_sidecar.process_info import process_now, versions
from wilor_sidecar.publisher import Publisher
from wilor_sidecar.run_directory import RunDirectory

SERVER = f"wilor-sidecar {__version__}"

_LIMITS = Limits(
    max_hands=limits.MAX_HANDS,
    max_request_bytes=limits.MAX_REQUEST_BYTES,
    crop_bytes=limits.CROP_BYTES,
    max_source_length=limits.MAX_SOURCE_LENGTH,
)


class About:
    """Keeps what is known of the model, and answers questions about the daemon.

    Attributes:
        loaded: the model's particulars; None until there is one.
        model_ready: it is in memory now, and warmed up.
        memory: as the engine last reported it.
    """

    def __init__(self, life: Life, publisher: Publisher, metrics: Metrics, directory: RunDirectory) -> None:
        self.loaded: Loaded | None = None
        self.model_ready = False
        self.memory: Memory | None = None
        self._life = life
        self._publisher = publisher
        self._metrics = metrics
        self._directory = directory
        self._versions = versions()
        self._started_at_ns = time.monotonic_ns()

    @property
    def model(self) -> ModelInfo | None:
        """The network that serves; None until it is loaded."""
        return self.loaded.info if self.loaded else None

    def service(self) -> str:
        """What is served on what, in one line for people."""
        if self.loaded is None:
            return "nothing is loaded"
        info, device = self.loaded.info, self.loaded.device
        blas = f" with {device.blas}" if device.blas else ""
        return f"serving {info.name} ({info.width} x {info.depth}, {info.dtype}) on {device.name}{blas}"

    def hello(self, request: HelloRequest) -> HelloReply:
        """Who, what and where."""
        return HelloReply(
            id=request.id,
            server=SERVER,
            protocol=(PROTOCOL_VERSION, PROTOCOL_VERSION),
            epoch=self._publisher.epoch,
            state=self._life.state,
            model=self.model,
            limits=_LIMITS,
            endpoints=Endpoints(requests=self._directory.requests_address, events=self._directory.events_address),
            clocks=_clocks(),
            joint_names=JOINT_NAMES,
        )

    def status(self, request: StatusRequest, queue: Queue) -> StatusReply:
        """How it is."""
        return StatusReply(
            id=request.id,
            server=SERVER,
            epoch=self._publisher.epoch,
            pid=os.getpid(),
            state=self._life.state,
            reason=self._life.reason,
            live=True,
            ready=self._life.state == "ready",
            model_ready=self.model_ready,
            uptime_s=round((time.monotonic_ns() - self._started_at_ns) / 1e9, 3),
            model=self.model,
            device=self.loaded.device if self.loaded else None,
            memory=self.memory,
            queue=queue,
            counters=dict(self._metrics.counters),
            latency_ms=self._metrics.latency_ms(),
            subscriptions=self._publisher.topics(),
            limits=_LIMITS,
            process=process_now(),
            versions=self._versions,
        )

    def pong(self, request: PingRequest) -> PongReply:
        """It answers."""
        return PongReply(id=request.id, clocks=_clocks(), deep=request.deep)


def topology(request: TopologyRequest, loaded: Loaded) -> TopologyReply:
    """What never changes while a model serves."""
    return TopologyReply(
        id=request.id,
        faces=loaded.faces,
        joint_names=JOINT_NAMES,
        joint_parents=JOINT_PARENTS,
        rotation_names=ROTATION_NAMES,
        rotation_parents=ROTATION_PARENTS,
    )


def _clocks() -> Clocks:
    return Clocks(monotonic_ns=time.monotonic_ns(), wall_ns=time.time_ns())
