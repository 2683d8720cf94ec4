"""Converted folders of seeded and of upstream's checkpoints."""

from collections.abc import Callable
from pathlib import Path

import pytest

from wilor_sidecar import device
from wilor_sidecar.model import Wilor, activations, linear, load_model, wilor
from wilor_sidecar.weights.convert import convert
from wilor_sidecar.weights.seeded import write_seeded_checkpoint

SeededModel = Callable[..., Wilor]


@pytest.fixture(scope="session")
def seeded_model(tmp_path_factory: pytest.TempPathFactory) -> SeededModel:
    """Make, convert and load a seeded checkpoint; the arguments are those of `write_seeded_checkpoint`."""
    made: dict[tuple[int, int, int, float, int], Wilor] = {}

    def make(seed: int, width: int, depth: int, cam_gain: float, heads: int) -> Wilor:
        key = (seed, width, depth, cam_gain, heads)
        if key not in made:
            folder = tmp_path_factory.mktemp("seeded")
            checkpoint = folder / "seeded.safetensors"
            write_seeded_checkpoint(checkpoint, seed=seed, width=width, depth=depth, cam_gain=cam_gain)
            made[key] = load_model(convert(checkpoint, folder / "model", heads=heads))
            checkpoint.unlink()
        return made[key]

    return make


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Convert a file into a fresh folder; keyword arguments as `convert`."""

    def make(source: Path, mano: Path | None = None) -> Path:
        return convert(source, tmp_path_factory.mktemp("converted") / "model", mano=mano)

    return make


@pytest.fixture
def gpu_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    """The forms that serve on a GPU, run here: fused attention, erf, the whole network compiled."""
    for module in (device, activations, linear, wilor):
        monkeypatch.setattr(module, "on_gpu", lambda: True)
