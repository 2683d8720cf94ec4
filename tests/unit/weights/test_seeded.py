import hashlib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from wilor_sidecar.weights.seeded import checkpoint, crops, digest, write_seeded_checkpoint

from .files import REFERENCE, needs_reference

# From the reference goldens of these seeds, so that this proves something without the reference folder.
GOLDEN_DIGESTS = {
    (7, 160, 3, 1.0): "7f29a02cd2523bb39eb475e929522ea2fd4c8236cec899b9054d1859668a672a",
    (8, 160, 3, 60.0): "8e319259f7435621ba142dba79965ea7bc5348695585458199a25e04b51582e3",
}
CROPS_DIGEST = "d8f298d7e612c2ea344164ef992bb8a48053b79f2658532b5f86c15453af54d5"


@pytest.mark.parametrize(("arguments", "expected"), GOLDEN_DIGESTS.items())
def test_tensors_are_the_goldens(arguments: tuple[int, int, int, float], expected: str) -> None:
    """The generator makes, bit for bit, the tensors that the small goldens were computed on."""
    assert digest(checkpoint(*arguments)) == expected


def test_crops_are_the_references() -> None:
    """The crops of a seed never change."""
    assert hashlib.sha256(crops(7, 2).tobytes()).hexdigest() == CROPS_DIGEST


@needs_reference
@pytest.mark.parametrize(
    "golden", ["golden_160x3", "golden_160x3_wide", pytest.param("golden_full", marks=pytest.mark.slow)]
)
def test_tensors_match_the_digest_in_the_file(golden: str) -> None:
    """Each golden file names the digest of the tensors that its seed and sizes make."""
    with np.load(REFERENCE / "seeded" / f"{golden}.npz") as file:
        sizes = int(file["seed"]), int(file["dim"]), int(file["depth"]), float(file["cam_gain"])
        assert digest(checkpoint(*sizes)) == str(file["digest"])


def test_digest_sees_names_and_values() -> None:
    """A renamed tensor and a changed value each give another digest; the order of insertion does not."""
    one, two = np.ones(1, np.float32), np.zeros(1, np.float32)
    assert digest({"a": one, "b": two}) == digest({"b": two, "a": one})
    assert len({digest({"a": one}), digest({"b": one}), digest({"a": two})}) == 3


def test_written_checkpoint_reads_back(tmp_path: Path) -> None:
    """The file holds exactly the generated tensors."""
    path = tmp_path / "seeded.safetensors"
    write_seeded_checkpoint(path, seed=3, width=64, depth=1, cam_gain=2.0)
    assert digest(load_file(path)) == digest(checkpoint(3, 64, 1, 2.0))
