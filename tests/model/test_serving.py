"""The served network as the engine holds it: limits, warmth, traces, and what it refuses to load."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from wilor_sidecar import device
from wilor_sidecar.memory_limits import limit_memory, limits_for, release_memory
from wilor_sidecar.mlx import mx
from wilor_sidecar.model import activations, load, vit
from wilor_sidecar.model.wilor import Wilor
from wilor_sidecar.process_memory import footprint_bytes, peak_bytes
from wilor_sidecar.serving import ServedModel
from wilor_sidecar.weights.convert import convert
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.seeded import crops, write_seeded_checkpoint
from wilor_sidecar.weights.store import EMBEDDED_FOLDER

MIB = 1 << 20
T = TypeVar("T")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small converted model."""
    made = tmp_path_factory.mktemp("served")
    write_seeded_checkpoint(made / "small.safetensors", seed=1, width=64, depth=1)
    return convert(made / "small.safetensors", made / "small")


def on_a_thread_of_its_own(work: Callable[[], T]) -> T:
    """What some work gives, done as the engine does it: on a thread that has MLX to itself and ends."""
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


@pytest.mark.parametrize(
    ("weights", "recommended", "cache", "memory", "wired"),
    [
        (14 * MIB, 0, 64, 1550, 0),
        (14 * MIB, 12_000 * MIB, 64, 1550, 15.4),
        (1260 * MIB, 12_000 * MIB, 315, 2796, 1386),
        (2520 * MIB, 12_000 * MIB, 384, 4056, 2772),
        (2520 * MIB, 2600 * MIB, 384, 4056, 2600),
    ],
)
def test_limits_follow_the_weights(weights: int, recommended: int, cache: int, memory: int, wired: float) -> None:
    """MiB, for the embedded network, half and full precision, and a Mac that lets the GPU have less than asked for."""
    limits = limits_for(weights, recommended)
    assert (limits.cache // MIB, limits.memory // MIB) == (cache, memory)
    assert limits.wired / MIB == pytest.approx(wired, abs=0.1)


def test_limits_are_set(folder: Path) -> None:
    """After loading MLX has them; where there is no GPU nothing is wired, and nothing fails for that."""

    def work() -> tuple[int, int, int, int]:
        model = ServedModel(str(folder))
        limits = limit_memory()
        had = mx.set_cache_limit(limits.cache), mx.set_memory_limit(limits.memory)
        model.close()
        return limits.cache, limits.memory, *had

    cache, memory, cache_had, memory_had = on_a_thread_of_its_own(work)
    assert (cache_had, memory_had) == (cache, memory)


def test_closing_gives_memory_back(folder: Path) -> None:
    """After it MLX holds nothing; a second load on another thread answers exactly as the first."""

    def work() -> tuple[dict[str, np.ndarray], int]:
        model = ServedModel(str(folder))
        outputs = model(crops(1, 2))
        model.close()
        memory = model.memory()  # what it tells then, too
        assert (memory.active, memory.cache) == (mx.get_active_memory(), mx.get_cache_memory())
        return outputs, memory.active + memory.cache

    before = mx.get_active_memory()
    first, left = on_a_thread_of_its_own(work)
    assert left - before < 10_000  # constants of compiled functions, which end with their thread
    again, _ = on_a_thread_of_its_own(work)
    for name, values in first.items():
        assert np.array_equal(values, again[name]), name


def test_staying_warm_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred pieces of that work grow the process by less than 2 MB, and run the network never.

    What leaks does so in each of three rounds; in one of them something else may grow.
    """

    def forbidden(*_: object) -> None:
        raise AssertionError("the network was run")

    def grown(model: ServedModel) -> int:
        before = footprint_bytes()
        for _ in range(200):
            model.stay_warm()
        return footprint_bytes() - before

    def work() -> int:
        model = ServedModel(str(folder))
        monkeypatch.setattr(Wilor, "__call__", forbidden)
        for _ in range(50):
            model.stay_warm()
        least = min(grown(model) for _ in range(3))
        model.close()
        return least

    assert on_a_thread_of_its_own(work) < 2e6


@pytest.fixture(params=[False, True], ids=["as it is", "as on a GPU"])
def traced(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How often a function that MLX compiles has been traced: its Python body runs only then.

    A GPU compiles the network whole, a CPU only the polynomials.
    """
    if request.param:
        request.getfixturevalue("gpu_forms")
    module, name = (vit, "gelu") if device.on_gpu() else (activations, "_polynomial")
    count = [0]
    traceable = getattr(module, name)

    def counting(*arguments: object) -> object:
        count[0] += 1
        return traceable(*arguments)

    monkeypatch.setattr(module, name, counting)
    yield count
    mx.disable_compile()
    mx.enable_compile()


def test_nothing_is_traced_after_the_warm_up(folder: Path, traced: list[int]) -> None:
    """Every batch size has been compiled, both ways through the network; a size that was not is seen (control)."""

    def work() -> tuple[int, int, int]:
        model = ServedModel(str(folder))
        for batch in (1, 2, 4, 8):
            model.warm_up(batch)
        warm = traced[0]
        for batch in (1, 8, 2, 4, 8, 1, 1):
            model(crops(batch, batch))
            model(np.zeros((batch, 256, 256, 3), np.uint8))
        served = traced[0]
        model(crops(1, 3))
        other = traced[0]
        model.close()
        return warm, served, other

    warm, served, other = on_a_thread_of_its_own(work)
    assert warm > 0
    assert served == warm
    assert other > served


def test_a_model_belongs_to_its_thread(folder: Path) -> None:
    """What one thread has loaded another cannot run."""

    def work() -> None:
        model = ServedModel(str(folder))
        with pytest.raises(RuntimeError, match="belongs to thread"):
            on_a_thread_of_its_own(lambda: model(crops(1, 1)))
        model.close()

    on_a_thread_of_its_own(work)


def spoiled(folder: Path, made: Path, spoil: Callable[[Path], None]) -> Path:
    """A copy of a folder, spoiled."""
    copy = Path(shutil.copytree(folder, made / "spoiled"))
    spoil(copy)
    return copy


def flip_a_bit(folder: Path) -> None:
    """In the last of the weights, where the number stays finite."""
    file = folder / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-4] ^= 1
    file.write_bytes(content)


def cut(folder: Path) -> None:
    """Leave out the end."""
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])


def rename_digest(folder: Path) -> None:
    """Another file's digest."""
    config = json.loads((folder / "config.json").read_text())
    config["weights_sha256"] = "0" * 64
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("spoil", "words"), [(flip_a_bit, "SHA-256"), (rename_digest, "SHA-256"), (cut, "safetensors")]
)
def test_altered_weights_are_not_served(
    folder: Path, tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    """One bit that is not as it was made is enough, though every number is finite."""
    with pytest.raises(WeightsError, match=words):
        on_a_thread_of_its_own(lambda: ServedModel(str(spoiled(folder, tmp_path, spoil))))


def test_releasing_without_a_gpu_is_no_error() -> None:
    """There is nothing wired to let go."""
    release_memory()


def test_the_embedded_model_too_is_held_to_its_digest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A package whose weights were altered does not serve them."""
    altered = tmp_path / "embedded"
    shutil.copytree(EMBEDDED_FOLDER, altered)
    with (altered / "model.safetensors").open("r+b") as file:
        file.seek(-2, 2)
        last = file.read(1)
        file.seek(-2, 2)
        file.write(bytes([last[0] ^ 1]))
    monkeypatch.setattr(load, "EMBEDDED_FOLDER", altered)
    with pytest.raises(WeightsError, match="SHA-256"):
        on_a_thread_of_its_own(lambda: ServedModel("embedded"))


def test_peak_memory_is_this_process_own() -> None:
    """A small child of a process that once was large does not inherit its peak."""
    large = np.ones(64 * MIB)  # 512 MiB
    assert peak_bytes() >= large.nbytes
    program = "from wilor_sidecar.process_memory import peak_bytes; print(peak_bytes())"
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(child.stdout) < 200 * MIB
