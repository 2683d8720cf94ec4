"""Requests, jobs and networks for the tests of this folder."""

import functools
import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wilor_protocol.arrays import Int32Array
from wilor_protocol.names import Side
from wilor_protocol.replies import Device, Memory, ModelInfo, Timing
from wilor_protocol.requests import EstimateRequest, HandCrop
from wilor_protocol.version import PROTOCOL_VERSION
from wilor_sidecar.jobs import Job

Crop = NDArray[np.uint8]
Crops = NDArray[np.uint8]
Outputs = dict[str, NDArray[np.float32]]

UNIT_S = 5.0
"""How long any wait may take before its test fails."""

SHAPES = {
    "pred_keypoints_3d": (21, 3),
    "pred_vertices": (778, 3),
    "pred_cam": (3,),
    "global_orient": (1, 3),
    "hand_pose": (15, 3),
    "betas": (10,),
}
_BLACK = bytes(256 * 256 * 3)


def hand_of(side: Side = "right", crop: Crop | None = None, box: tuple[float, float, float] | None = None) -> HandCrop:
    """A hand with these pixels; black without any."""
    return HandCrop(crop=_BLACK if crop is None else crop.tobytes(), side=side, box=box)


def request_of(
    hands: list[HandCrop] | None = None,
    *,
    source: str = "camera",
    frame: int = 1,
    captured_at_ns: int = 0,
    deadline_ms: float | None = None,
    image_size: tuple[int, int] | None = None,
    intrinsics: tuple[float, float, float, float] | None = None,
    mirrored: bool = False,
) -> EstimateRequest:
    """A request; of one black right hand unless it says otherwise."""
    return EstimateRequest(
        id=frame,
        v=PROTOCOL_VERSION,
        source=source,
        frame=frame,
        captured_at_ns=captured_at_ns,
        hands=[hand_of()] if hands is None else hands,
        deadline_ms=deadline_ms,
        image_size=image_size,
        intrinsics=intrinsics,
        mirrored=mirrored,
    )


def job_of(request: EstimateRequest) -> Job:
    """The request as a job that has just been read."""
    return Job((b"client", b""), request, time.monotonic_ns())


def crop_of(seed: int) -> Crop:
    """A crop of noise, different at each seed and on each side."""
    return np.random.default_rng(seed).integers(0, 256, (256, 256, 3), np.uint8)


def outputs_of(crops: Crops) -> Outputs:
    """What a network might give: a fixed function of each crop's pixels alone, in a hand's usual ranges."""
    seen = crops[:, 16::32, 16::32].reshape(len(crops), -1) / 256 - 0.5
    outputs = {}
    for name, shape in SHAPES.items():
        outputs[name] = (seen @ _weights(name)).reshape(len(crops), *shape).astype(np.float32)
    outputs["pred_cam"][:, 0] += 1
    return outputs


@functools.cache
def _weights(name: str) -> NDArray[np.float64]:
    """From the 8 x 8 pixels that are looked at to an output. So few bits that every product is exact, whatever the
    order in which a processor adds: a crop's output is the same in any batch.
    """
    rng = np.random.default_rng(list(SHAPES).index(name))
    return np.round(rng.normal(size=(8 * 8 * 3, int(np.prod(SHAPES[name])))) * 0.05 * 2**12) / 2**12


def timing_of(queue_ms: float = 1.0, model_ms: float = 2.0, total_ms: float = 4.0) -> Timing:
    """The timing of an answer."""
    return Timing(received_at_ns=7, queue_ms=queue_ms, model_ms=model_ms, total_ms=total_ms, batch=1)


MODEL = ModelInfo(
    name="fake", trained=False, width=1, depth=1, heads=1, dtype="float32", licence="none", source_sha256=""
)
DEVICE = Device(name="cpu", blas="", gflops=0.0, mlx="0")
MEMORY = Memory(active=1, cache=2, peak=3, process_peak=4)


class FakeNetwork:
    """A network that keeps a record of its calls and does what its parts are replaced with.

    Attributes:
        calls: the words "load", "warm_up", "run", "stay_warm", "recover", "memory" and "close", in order.
        threads: the threads that made them.
        batches: the batch size of each run and warm-up.
    """

    info = MODEL
    device = DEVICE
    faces: Int32Array = np.zeros((1, 3), np.int32)

    def __init__(self, run: Callable[[Crops], Outputs] = outputs_of) -> None:
        self.calls: list[str] = []
        self.threads: set[int] = set()
        self.batches: list[int] = []
        self.run = run
        self.on_warm_up: Callable[[int], None] = lambda batch: None

    def load(self) -> "FakeNetwork":
        """Itself, as the engine's `load`."""
        self._note("load")
        return self

    def __call__(self, crops_rgb: Crops) -> Outputs:
        self._note("run")
        self.batches.append(len(crops_rgb))
        return self.run(crops_rgb)

    def warm_up(self, batch: int) -> None:
        self._note("warm_up")
        self.batches.append(batch)
        self.on_warm_up(batch)

    def stay_warm(self) -> None:
        self._note("stay_warm")

    def recover(self) -> None:
        self._note("recover")

    def memory(self) -> Memory:
        self._note("memory")
        return MEMORY

    def close(self) -> None:
        self._note("close")

    def _note(self, what: str) -> None:
        self.calls.append(what)
        self.threads.add(threading.get_ident())


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = UNIT_S) -> None:
    """Look again and again until the condition holds; fail the test when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.001)
