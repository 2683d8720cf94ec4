"""One small checkpoint for all tests of this folder: making its hand takes longer than reading it."""

from pathlib import Path

import pytest

from wilor_sidecar.weights.convert import convert
from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.seeded import checkpoint, write_seeded_checkpoint


@pytest.fixture(scope="session")
def seeded() -> dict[str, Array]:
    """A checkpoint's tensors, 64 wide and 2 deep. Not to be changed."""
    return checkpoint(5, 64, 2)


@pytest.fixture(scope="session")
def seeded_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same checkpoint as a safetensors file. Not to be changed."""
    path = tmp_path_factory.mktemp("seeded") / "seeded.safetensors"
    write_seeded_checkpoint(path, seed=5, width=64, depth=2)
    return path


@pytest.fixture
def folder(seeded_file: Path, tmp_path: Path) -> Path:
    """The same checkpoint converted, float32; a fresh copy for each test."""
    return convert(seeded_file, tmp_path / "folder")
