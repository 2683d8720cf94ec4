"""What becomes of a batch when the network fails, and when the network is given up."""

import time
from collections.abc import Callable

import numpy as np
import pytest

from wilor_sidecar.estimator import NotFiniteError
from wilor_sidecar.faults import is_device_fault
from wilor_sidecar.runner import BatchDone, Runner

from .fakes import Crops, FakeNetwork, Outputs, crop_of, hand_of, job_of, outputs_of, request_of

METAL = "[METAL] Command buffer execution failed: "
TIMEOUT = METAL + "Caused GPU Timeout Error (00000002:kIOGPUCommandBufferCallbackErrorTimeout)"
IGNORED = METAL + (
    "Ignored (for causing prior/excessive GPU errors) (00000004:kIOGPUCommandBufferCallbackErrorSubmissionsIgnored)"
)
VICTIM = METAL + ("Discarded (victim of GPU error/recovery) (00000005:kIOGPUCommandBufferCallbackErrorInnocentVictim)")
NO_MEMORY = METAL + "Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)"
INTERACTIVITY = METAL + ("Impacting Interactivity (0000000e:kIOGPUCommandBufferCallbackErrorImpactingInteractivity)")
INTERNAL = METAL + "Internal Error (0000000e:Internal Error)"
DEVICE_TEXTS = [
    TIMEOUT,
    IGNORED,
    VICTIM,
    NO_MEMORY,
    INTERACTIVITY,
    INTERNAL,
    "[malloc] Unable to allocate 1099511627776 bytes.",
    "[malloc_or_wait] Unable to allocate 2097152 bytes.",
    "[metal::malloc] Attempting to allocate 4398046511104 bytes which is greater than the maximum allowed buffer size "
    "of 77309411328 bytes.",
    "[metal::malloc] Resource limit (499000) exceeded.",
    "No Metal device available",
    "There is no Stream(gpu, 0) in current thread.",
    "cudaMallocAsync(&data, size, stream) failed: out of memory",
]
OTHERS = [ValueError(TIMEOUT), KeyError("pred_cam"), RuntimeError("[matmul] shapes do not match"), TypeError("no")]

Step = Exception | Callable[[Crops], Outputs]


class Scripted(FakeNetwork):
    """A network whose runs go as the script says, one step each, and well when it is at its end."""

    def __init__(self, *script: Step) -> None:
        super().__init__(self._next)
        self.script = list(script)

    def _next(self, crops: Crops) -> Outputs:
        step = self.script.pop(0) if self.script else outputs_of
        if isinstance(step, Exception):
            raise step
        return step(crops)


def nan_in(*hands: int) -> Callable[[Crops], Outputs]:
    """Outputs with a NaN in each of these hands."""

    def poisoned(crops: Crops) -> Outputs:
        outputs = outputs_of(crops)
        outputs["pred_cam"][list(hands), 0] = np.nan
        return outputs

    return poisoned


def run(network: FakeNetwork, *, jobs: int = 1) -> tuple[Runner, BatchDone]:
    """A batch on a fresh runner."""
    runner = Runner(network)
    return runner, runner.run([job_of(request_of([hand_of(crop=crop_of(number))])) for number in range(jobs)])


@pytest.mark.parametrize("text", DEVICE_TEXTS)
def test_a_device_fault_is_known_by_its_text(text: str) -> None:
    """As these texts really read."""
    assert is_device_fault(RuntimeError(text))


@pytest.mark.parametrize("error", OTHERS, ids=repr)
def test_other_errors_are_not_taken_for_the_devices(error: Exception) -> None:
    """Neither other kinds of error, whatever their text, nor MLX's complaints about arguments."""
    assert not is_device_fault(error)


def test_no_memory_is_the_devices_fault() -> None:
    """Python's own error too."""
    assert is_device_fault(MemoryError())


@pytest.mark.parametrize("text", DEVICE_TEXTS)
def test_one_fault_costs_a_second_try(text: str) -> None:
    """The batch is run again, after a recovery, and answered as if nothing had been; the network goes on."""
    network = Scripted(RuntimeError(text))
    runner, done = run(network, jobs=2)
    assert [type(result) for result in done.results] == [list, list]
    assert done.was_retried
    assert runner.broken == ""
    assert network.calls == ["run", "recover", "run", "memory"]


@pytest.mark.parametrize("text", DEVICE_TEXTS)
def test_two_faults_in_a_row_are_the_end(text: str) -> None:
    """There is no third try: the senders get the error, and the network is given up."""
    first, second = RuntimeError(TIMEOUT), RuntimeError(text)
    runner, done = run(Scripted(first, second), jobs=2)
    assert done.results == [second, second]
    assert text in runner.broken


@pytest.mark.parametrize(("seconds", "is_broken"), [(30.0, True), (61.0, False)])
def test_two_faults_in_a_minute_are_the_end(monkeypatch: pytest.MonkeyPatch, seconds: float, is_broken: bool) -> None:
    """Also when each was got over: both batches are answered, and then the network is given up. Later it is not."""
    network = Scripted(RuntimeError(TIMEOUT))
    runner, _ = run(network)
    later_ns = time.monotonic_ns() + round(seconds * 1e9)
    monkeypatch.setattr(time, "monotonic_ns", lambda: later_ns)
    network.script = [RuntimeError(IGNORED)]
    done = runner.run([job_of(request_of())])
    assert isinstance(done.results[0], list)
    assert ("twice within a minute" in runner.broken) == is_broken


@pytest.mark.parametrize("error", OTHERS, ids=repr)
def test_a_mistake_of_ours_costs_its_batch(error: Exception) -> None:
    """When it fails twice but a black crop passes, it was this batch: its senders are told, and the network goes on."""
    network = Scripted(error, error)
    runner, done = run(network)
    assert done.results == [error]
    assert runner.broken == ""
    assert network.script == []


@pytest.mark.parametrize("error", OTHERS, ids=repr)
def test_a_network_that_fails_on_a_black_crop_is_given_up(error: Exception) -> None:
    """Then it was not the batch."""
    runner, done = run(Scripted(error, error, error))
    assert done.results == [error]
    assert "black crop" in runner.broken


def test_a_recovery_that_fails_is_no_third_error() -> None:
    """When even that raises, the senders are still told, and the device is given up."""
    network = Scripted(RuntimeError(TIMEOUT))
    network.recover = lambda: (_ for _ in ()).throw(RuntimeError(IGNORED))  # type: ignore[method-assign]
    runner, done = run(network)
    assert [str(result) for result in done.results] == [IGNORED]
    assert IGNORED in runner.broken


def test_nonsense_for_one_hand_fails_its_job(caplog: pytest.LogCaptureFixture) -> None:
    """NaN never leaves; the others have their hands, and the network goes on when a black crop passes."""
    runner, done = run(Scripted(nan_in(1)), jobs=3)
    assert [type(result) for result in done.results] == [list, NotFiniteError, list]
    assert runner.broken == ""
    assert not done.was_retried
    assert "pred_cam" in caplog.text


def test_nonsense_for_a_black_crop_is_the_end() -> None:
    """A network that gives NaN for everything is given up."""
    runner, done = run(Scripted(nan_in(0), nan_in(0)))
    assert [type(result) for result in done.results] == [NotFiniteError]
    assert "black crop" in runner.broken


@pytest.mark.parametrize(("black", "is_broken"), [([nan_in(0)], True), ([], False)])
def test_nonsense_from_the_second_try_is_followed_up(black: list[Step], is_broken: bool) -> None:
    """As from the first: a black crop tells whether the network is given up."""
    runner, done = run(Scripted(RuntimeError(TIMEOUT), nan_in(0), *black))
    assert [type(result) for result in done.results] == [NotFiniteError]
    assert done.was_retried
    assert ("black crop" in runner.broken) == is_broken


def test_a_fault_while_staying_warm_counts(caplog: pytest.LogCaptureFixture) -> None:
    """It harms nobody and is logged, but the next one within a minute is the second."""
    network = Scripted()
    network.stay_warm = lambda: (_ for _ in ()).throw(RuntimeError(TIMEOUT))  # type: ignore[method-assign]
    runner = Runner(network)
    runner.stay_warm()
    assert runner.broken == ""
    assert TIMEOUT in caplog.text
    runner.stay_warm()
    assert TIMEOUT in runner.broken
