"""From a trained network's file into the package."""

import json
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from training.served_file import metadata_of
from training.ship import ship
from wilor_sidecar.model import load_model
from wilor_sidecar.setup.probe import probe_crop, read_probe
from wilor_sidecar.weights.model_config import read_config
from wilor_sidecar.weights.seeded import checkpoint


def test_any_size_is_shipped_as_it_was_trained(tmp_path: Path) -> None:
    """Its heads are those of its file, where a guess from the width would be 2; with what it answers."""
    save_file(checkpoint(4, 160, 1), tmp_path / "embedded.safetensors", metadata_of(heads=4))
    (tmp_path / "package").mkdir()
    ship(tmp_path / "embedded.safetensors", tmp_path / "package")
    config = read_config(tmp_path / "package")
    assert (config.name, config.dtype, config.licence, config.sizes.heads) == ("embedded", "float16", "MIT", 4)
    stored = read_probe(tmp_path / "package")
    assert stored is not None
    answered = load_model(tmp_path / "package", check_digest=True)(probe_crop())
    assert stored.apart_mm(answered["pred_keypoints_3d"][0]) < 0.5
    assert json.loads((tmp_path / "package" / "probe.json").read_text())["device"] == stored.device


def test_a_file_without_its_heads(tmp_path: Path) -> None:
    """Is not guessed about, but can be told."""
    save_file(checkpoint(4, 64, 1), tmp_path / "embedded.safetensors")
    with pytest.raises(ValueError, match="does not say how many heads"):
        ship(tmp_path / "embedded.safetensors", tmp_path)
    ship(tmp_path / "embedded.safetensors", tmp_path, heads=2)
    assert read_config(tmp_path).sizes.heads == 2
    (tmp_path / "embedded.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="cannot be read"):
        ship(tmp_path / "embedded.safetensors", tmp_path)
