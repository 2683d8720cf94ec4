"""What the daemon answers. Every request gets exactly one reply: its own kind with `ok: true`, or a refusal."""

from typing import Literal

from msgspec import Struct

from wilor_protocol.arrays import Int32Array
from wilor_protocol.errors import WireError
from wilor_protocol.hands import Hand
from wilor_protocol.version import PROTOCOL_VERSION, Version

State = Literal["starting", "loading", "warming", "ready", "degraded", "draining", "stopped", "failed"]


class ReplyHead(Struct, frozen=True, kw_only=True):
    """What tells an answer from a refusal; read first.

    Attributes:
        id: the request's; None when the daemon could not read one.
        ok: an answer; otherwise `error` is there.
        v: the protocol version that the daemon speaks.
    """

    id: int | None
    ok: bool
    v: Version
    error: WireError | None = None


class RefusalReply(Struct, frozen=True, kw_only=True):
    """The reply to a request that was not carried out."""

    id: int | None
    error: WireError
    ok: Literal[False] = False
    v: Version = PROTOCOL_VERSION


class Reply(Struct, frozen=True, kw_only=True):
    """What every answer carries."""

    id: int
    ok: Literal[True] = True
    v: Version = PROTOCOL_VERSION


class ModelInfo(Struct, frozen=True, kw_only=True):
    """The network that serves.

    Attributes:
        name: what people call it.
        trained: False for random weights, whose poses mean nothing.
        width, depth, heads: of the transformer.
        dtype: how the transformer blocks are stored: "float32", "float16", "int8" or "int4".
        licence: what the weights' owners ask.
        source_sha256: of the file, or the tensors, that they were made from.
    """

    name: str
    trained: bool
    width: int
    depth: int
    heads: int
    dtype: str
    licence: str
    source_sha256: str


class Limits(Struct, frozen=True, kw_only=True):
    """What a request may hold."""

    max_hands: int
    max_request_bytes: int
    crop_bytes: int
    max_source_length: int


class Endpoints(Struct, frozen=True, kw_only=True):
    """ZeroMQ addresses to connect to."""

    requests: str
    events: str


class Clocks(Struct, frozen=True, kw_only=True):
    """Both clocks of the daemon's host, read together.

    Attributes:
        monotonic_ns: the clock of every `_at_ns` on the wire.
        wall_ns: since the Unix epoch; for people only.
    """

    monotonic_ns: int
    wall_ns: int


class HelloReply(Reply, frozen=True, kw_only=True):
    """Who serves, what and where.

    Attributes:
        server: name and version.
        protocol: lowest and highest version spoken.
        epoch: changes when the daemon restarts.
        model: None until it is loaded.
    """

    server: str
    protocol: tuple[int, int]
    epoch: str
    state: State
    model: ModelInfo | None
    limits: Limits
    endpoints: Endpoints
    clocks: Clocks
    joint_names: tuple[str, ...]


class Device(Struct, frozen=True, kw_only=True):
    """What computes.

    Attributes:
        name: MLX's name of the device, "cpu" or "gpu".
        blas: the library behind products on a CPU; empty where MLX brings its own.
        gflops: a float32 product's speed, measured at the start; 0 until then.
        mlx: its version.
    """

    name: str
    blas: str
    gflops: float
    mlx: str


class Percentiles(Struct, frozen=True, kw_only=True):
    """How long a stage took, ms, over its last `count` times."""

    p50: float
    p95: float
    p99: float
    count: int


class Queue(Struct, frozen=True, kw_only=True):
    """Work that is here: crops that wait, the most that may, and crops in the network now."""

    waiting_crops: int
    waiting_limit: int
    running_crops: int


class Memory(Struct, frozen=True, kw_only=True):
    """Bytes: MLX's own (in use, kept for reuse, highest) and the whole process's highest `resident`."""

    active: int
    cache: int
    peak: int
    process_peak: int


class Process(Struct, frozen=True, kw_only=True):
    """The daemon's process now, whatever its network does.

    Attributes:
        resident: bytes in memory; on a Mac the physical footprint, which counts what the GPU holds.
        cpu_s: time that it has computed, s, all threads.
        threads: that it has.
        open_files: descriptors, sockets among them.
        open_files_limit: the most descriptors that it may have.
    """

    resident: int
    cpu_s: float
    threads: int
    open_files: int
    open_files_limit: int


class StatusReply(Reply, frozen=True, kw_only=True):
    """How the daemon is.

    Attributes:
        state: see PROTOCOL.md, "States".
        reason: why it is in that state, for people.
        live: it answers; always true in a reply.
        ready: an estimate would be computed now.
        model_ready: the network is in memory and every batch size has run: true while a daemon that is told to stop
            finishes, too, and no longer when the network was let go or has failed.
        uptime_s: since the process started.
        counters: events counted since the start, by name.
        latency_ms: by stage: queue, model, total.
        subscriptions: topics that somebody listens to.
        limits: what a request may hold.
        versions: of what serves, by name, for people.
    """

    server: str
    epoch: str
    pid: int
    state: State
    reason: str
    live: bool
    ready: bool
    model_ready: bool = False
    uptime_s: float
    model: ModelInfo | None
    device: Device | None
    memory: Memory | None
    queue: Queue
    counters: dict[str, int]
    latency_ms: dict[str, Percentiles]
    subscriptions: tuple[str, ...]
    limits: Limits
    process: Process
    versions: dict[str, str]


class PongReply(Reply, frozen=True, kw_only=True):
    """It answers; and a deep one: the thread that owns the network does too.

    Attributes:
        clocks: the host's.
        deep: as asked.
    """

    clocks: Clocks
    deep: bool


class TopologyReply(Reply, frozen=True, kw_only=True, eq=False):
    """What never changes while a model serves: ask once.

    Attributes:
        faces: (1538, 3) int32 triangles of the right hand, counter-clockwise from outside in MANO's axes; for a left
            hand reverse each.
        joint_names, joint_parents: the 21 keypoints; parent -1 for the wrist.
        rotation_names, rotation_parents: MANO's 16 rotations, `global_orient` first.
    """

    faces: Int32Array
    joint_names: tuple[str, ...]
    joint_parents: tuple[int, ...]
    rotation_names: tuple[str, ...]
    rotation_parents: tuple[int, ...]


class Timing(Struct, frozen=True, kw_only=True):
    """Where the time of one answer went.

    Attributes:
        received_at_ns: when the daemon read the request, on its monotonic clock.
        queue_ms: from then until the network began.
        model_ms: in the network and its conversions, for the whole batch.
        total_ms: from reading the request to having the answer ready to send.
        batch: crops that ran together.
    """

    received_at_ns: int
    queue_ms: float
    model_ms: float
    total_ms: float
    batch: int


class EstimateReply(Reply, frozen=True, kw_only=True, eq=False):
    """The hands of a frame, in the order of its crops.

    Attributes:
        seq: the number of the frame's event; None when none was published.
        epoch: changes when the daemon restarts.
    """

    seq: int | None
    epoch: str
    hands: list[Hand]
    timing: Timing
