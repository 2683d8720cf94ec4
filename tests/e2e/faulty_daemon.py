"""The daemon with a network that fails when it is told to. Everything else in it is real.

The first byte of a crop says what happens to its batch, so a test breaks the daemon with ordinary requests.
Run as a module it is the program; `faulty_daemon` starts it.
"""

import enum
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.unit.sidecar.fakes import FakeNetwork, outputs_of
from wilor_protocol.address import RUN_VARIABLE
from wilor_sidecar import service
from wilor_sidecar.cli import serve
from wilor_sidecar.cli.main import main
from wilor_sidecar.daemon_process import DaemonProcess
from wilor_sidecar.weights.errors import WeightsError

_ROOT = Path(__file__).parents[2]
GPU_TIMEOUT = (
    "[METAL] Command buffer execution failed: Caused GPU Timeout Error "
    "(00000002:kIOGPUCommandBufferCallbackErrorTimeout)"
)

_LEAK_BYTES = 40_000_000
_LET_GO = "let-go"


class Fault(enum.IntEnum):
    """What a crop's first byte makes the network do."""

    NONE = 0
    GPU_FAULT_ONCE = 1
    GPU_FAULT = 2
    MISTAKE = 3
    NAN = 4
    HANG = 5
    END_OF_THREAD = 6
    ABORT = 7
    LEAK = 8
    LEAK_LITTLE = 9
    HOLD = 10


def crop_with(fault: Fault) -> NDArray[np.uint8]:
    """A crop that does this."""
    crop = np.full((256, 256, 3), 128, np.uint8)
    crop[0, 0, 0] = fault
    return crop


def faulty_daemon(
    *arguments: str,
    delay_ms: float = 0,
    load: str = "",
    device: str = "cpu",
    drain_s: float | None = None,
    run_dir: Path | None = None,
) -> DaemonProcess:
    """The daemon, not yet started.

    Args:
        arguments: for `serve`.
        delay_ms: what each batch takes.
        load: how loading fails: "hang", "raise", "raise once", "held" (until `let_go`), or warming up: "held warm-up",
            "hanging warm-up", "gpu fault", "gpu fault once a reload".
        device: what the network says it runs on.
        drain_s: how long a stop waits for a batch; None: as long as the daemon's own does.
        run_dir: see `DaemonProcess`.
    """
    environment = {
        "PYTHONPATH": str(_ROOT),
        "FAULTY_DELAY_MS": str(delay_ms),
        "FAULTY_LOAD": load,
        "FAULTY_DEVICE": device,
        "FAULTY_DRAIN_S": "" if drain_s is None else str(drain_s),
    }
    module = "tests.e2e.faulty_daemon"
    return DaemonProcess(arguments=arguments, environment=environment, run_dir=run_dir, module=module)


def let_go(daemon: DaemonProcess) -> None:
    """End what `Fault.HOLD` or a held load waits for, once and for all."""
    (daemon.run_dir / _LET_GO).touch()


class FaultyNetwork(FakeNetwork):
    """A network that does as it is told.

    Attributes:
        loads: how many the process has loaded so far.
    """

    loads = 0

    def __init__(self) -> None:
        super().__init__()
        FaultyNetwork.loads += 1
        self.device = type(self.device)(name=os.environ["FAULTY_DEVICE"], blas="", gflops=0.0, mlx="0")
        self._delay_s = float(os.environ["FAULTY_DELAY_MS"]) / 1000
        self._has_failed = False
        self._leaked: list[bytes] = []
        load = os.environ["FAULTY_LOAD"]
        if load == "hang":
            _hang()
        if load == "raise" or (load == "raise once" and self.loads == 1):
            raise WeightsError("model.safetensors: not what it should be")
        if load == "held":
            _hold()
        self._warm_ups_that_fail = {"gpu fault": 99, "gpu fault once a reload": self.loads - 1}.get(load, 0)

    def warm_up(self, batch: int) -> None:
        if os.environ["FAULTY_LOAD"] == "hanging warm-up":
            _hang()
        if os.environ["FAULTY_LOAD"] == "held warm-up":
            _hold()
        if self._warm_ups_that_fail:
            self._warm_ups_that_fail -= 1
            raise RuntimeError(GPU_TIMEOUT)
        outputs_of(np.zeros((batch, 256, 256, 3), np.uint8))

    def _note(self, what: str) -> None:
        """A record of every call would grow for ever."""

    def __call__(self, crops_rgb: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        time.sleep(self._delay_s)
        outputs = outputs_of(crops_rgb)
        for number, crop in enumerate(crops_rgb):
            match int(crop[0, 0, 0]):
                case Fault.GPU_FAULT_ONCE if not self._has_failed:
                    self._has_failed = True
                    raise RuntimeError(GPU_TIMEOUT)
                case Fault.GPU_FAULT:
                    raise RuntimeError(GPU_TIMEOUT)
                case Fault.MISTAKE:
                    raise KeyError("a mistake")
                case Fault.NAN:
                    outputs["pred_cam"][number, 0] = np.nan
                case Fault.HANG:
                    _hang()
                case Fault.END_OF_THREAD:
                    raise SystemExit(0)
                case Fault.ABORT:
                    os.abort()
                case Fault.LEAK:
                    self._leaked.append(b"x" * _LEAK_BYTES)
                case Fault.LEAK_LITTLE:
                    self._leaked.append(crop[:1].tobytes() + bytes(232))
                case Fault.HOLD:
                    _hold()
        return outputs


def _hang() -> None:
    """Wait as MLX waits for a lost device: for ever, whatever is raised here."""
    while True:
        threading.Event().wait()


def _hold() -> None:
    """Wait until `let_go`."""
    while not (Path(os.environ[RUN_VARIABLE]) / _LET_GO).exists():
        time.sleep(0.005)


if __name__ == "__main__":
    if drain_s := os.environ.get("FAULTY_DRAIN_S"):
        service._DRAIN_S = float(drain_s)
    serve._load = lambda model: FaultyNetwork()
    sys.exit(main())
