"""The command that makes a model again, from what is written down of it."""

import shutil
from pathlib import Path

import pytest

from wilor_sidecar.installation import install_command
from wilor_sidecar.setup.again import command_to_make_again
from wilor_sidecar.weights.provenance import Provenance, encode_provenance
from wilor_sidecar.weights.store import EMBEDDED_FOLDER, default_models_directory

from .test_store import PROVENANCE


def kept(folder: Path, name: str, provenance: Provenance | None) -> Path:
    """A model of a folder of models."""
    made = shutil.copytree(folder, folder.parent / "my models" / name)
    if provenance:
        (made / "provenance.json").write_bytes(encode_provenance(provenance))
    return made


COMMAND = "wilor-sidecar setup --from wilor-mlx --dtype float32 --mano path/to/MANO_RIGHT.pkl --models-dir"


def test_what_setup_made(folder: Path) -> None:
    """By the same origin, dtype and hand; of files that the user brought only the name is known."""
    made = kept(folder, "wilor-mlx-float32", PROVENANCE)
    (made / "config.json").unlink()
    assert command_to_make_again(made, made.parent) == f"{COMMAND} '{made.parent}'"


@pytest.mark.parametrize("left", [["model.safetensors"], [], ["model.safetensors", "config.json", "thesis.txt"]])
def test_what_setup_would_not_replace(left: list[str], folder: Path) -> None:
    """Is to be moved away first, by its owner: nothing says that it can be deleted."""
    made = kept(folder, "wilor-int8", None)
    (made / "thesis.txt").touch()
    for path in made.iterdir():
        if path.name not in left:
            path.unlink()
    again = "wilor-sidecar setup --from upstream --dtype int8 --models-dir"
    assert command_to_make_again(made, made.parent) == f"move '{made}' elsewhere, then: {again} '{made.parent}'"


def test_where_models_are_usually(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of models is not named; a damaged provenance changes nothing."""
    monkeypatch.setenv("XDG_DATA_HOME", str(folder.parent))
    models = default_models_directory()
    models.mkdir(parents=True)
    made = kept(folder, "x", None).rename(models / "wilor-float32")
    (made / "provenance.json").write_text("{")
    assert command_to_make_again(made, models) == "wilor-sidecar setup --from upstream --dtype float32"


def test_what_convert_made(folder: Path) -> None:
    """From its source, into the same place; also what was moved out of the folder of models."""
    made = kept(folder, "mine", None)
    command = "wilor-sidecar convert path/to/seeded.safetensors --out"
    assert command_to_make_again(made, made.parent).startswith(f"{command} '{made}' --overwrite --dtype float32")
    moved = kept(folder, "wilor-float32", PROVENANCE)
    assert command_to_make_again(moved, folder).startswith(f"{command} '{moved}'")


def test_what_is_left_of_nothing(folder: Path) -> None:
    """Where no word is left of how it was made, its owner has to know."""
    made = kept(folder, "mine", None)
    (made / "config.json").unlink()
    assert command_to_make_again(made, made.parent) == f"move '{made}' elsewhere, then: convert it again"


def test_what_comes_with_the_package() -> None:
    """Is mended by installing that anew."""
    assert command_to_make_again(EMBEDDED_FOLDER, Path("/models")) == install_command()
