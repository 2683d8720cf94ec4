"""The models that a user keeps: listing, choosing, removing."""

import json
import shutil
from pathlib import Path

import pytest

from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.model_config import FileEntry
from wilor_sidecar.weights.provenance import FetchedFile, Provenance, encode_provenance
from wilor_sidecar.weights.store import ModelStore, models_directory

PROVENANCE = Provenance(
    format_version=1,
    origin="upstream",
    fetched=[FetchedFile("someone/WiLoR", "a" * 40, True, "wilor_final.ckpt", 12, "b" * 64, "manifest")],
    mano=FileEntry("MANO_RIGHT.pkl", "c" * 64),
    licences=["CC BY-NC-ND 4.0"],
    made_at="2026-01-02T03:04:05Z",
    made_by="wilor-sidecar 0",
)


@pytest.fixture
def store(folder: Path, tmp_path: Path) -> ModelStore:
    """A store with two models, `first` with a provenance and `second` without, and work in progress."""
    made = ModelStore(tmp_path / "models")
    made.root.mkdir()
    shutil.copytree(folder, made.root / "first")
    shutil.copytree(folder, made.root / "second")
    shutil.copytree(folder, made.root / ".setup-0123")
    (made.root / "first" / "provenance.json").write_bytes(encode_provenance(PROVENANCE))
    (made.root / "a-file").touch()
    return made


def test_models_are_listed_with_their_provenance(store: ModelStore) -> None:
    """By name; neither work in progress nor files are models."""
    first, second = store.models()
    assert (first.name, second.name) == ("first", "second")
    assert (first.provenance, second.provenance) == (PROVENANCE, None)
    assert not isinstance(first.config, str)
    assert first.config.dtype == "float32"
    assert first.size_bytes == sum(path.stat().st_size for path in first.folder.iterdir())


def test_a_broken_model_is_listed_with_its_problem(store: ModelStore) -> None:
    """One model that cannot be read hides neither itself nor the others."""
    (store.root / "first" / "config.json").write_text("{")
    (store.root / "second" / "provenance.json").write_text(json.dumps({"format_version": 2}))
    (store.root / "third").mkdir()
    problems = [model.config for model in store.models()]
    assert [isinstance(problem, str) for problem in problems] == [True, True, True]
    assert "config.json" in str(problems[0])
    assert "provenance.json" in str(problems[1])
    assert "is third a" not in str(problems[2])
    assert str(store.root / "third") in str(problems[2])


def test_an_empty_store_is_no_error(tmp_path: Path) -> None:
    """Before anything was set up the embedded model is the choice, and it can be chosen."""
    store = ModelStore(tmp_path / "none")
    store.use("embedded")
    assert (store.models(), store.chosen()) == ([], "embedded")
    assert not store.root.exists()


def test_a_choice_stays_until_the_next(store: ModelStore) -> None:
    """What was chosen is read by whoever looks next."""
    store.use("second")
    assert ModelStore(store.root).chosen() == "second"
    store.use("embedded")
    assert ModelStore(store.root).chosen() == "embedded"
    assert sorted(path.name for path in store.root.iterdir() if path.name.startswith(".")) == [
        ".default",
        ".setup-0123",
    ]


@pytest.mark.parametrize("name", ["third", "a-file", ".setup-0123", "../models/first", "", "first/"])
def test_what_is_no_model_is_neither_chosen_nor_removed(store: ModelStore, name: str) -> None:
    """Nothing outside the store and nothing half-made; the choice stays what it was."""
    store.use("first")
    for act in (store.use, store.remove):
        with pytest.raises(WeightsError):
            act(name)
    assert store.chosen() == "first"
    assert len(store.models()) == 2


def test_a_broken_model_is_not_chosen_but_can_be_removed(store: ModelStore) -> None:
    """Choosing it would only fail later."""
    (store.root / "first" / "config.json").unlink()
    with pytest.raises(WeightsError, match=r"config\.json"):
        store.use("first")
    assert store.remove("first") is False
    assert [model.name for model in store.models()] == ["second"]


@pytest.mark.parametrize("file", ["model.safetensors", "provenance.json"])
def test_half_a_model_is_listed_with_its_problem(store: ModelStore, file: str) -> None:
    """Weights that are missing, or a provenance without a file: neither can be used, and one is not chosen."""
    (store.root / "first" / file).unlink()
    if file == "provenance.json":
        nothing = json.loads(encode_provenance(PROVENANCE)) | {"fetched": []}
        (store.root / "first" / file).write_text(json.dumps(nothing))
    else:
        with pytest.raises(WeightsError, match=r"first: model\.safetensors"):
            store.use("first")
    assert file in str(store.models()[0].config)


def test_removing_the_chosen_model_goes_back_to_the_embedded_one(store: ModelStore) -> None:
    """A removed model leaves no choice that leads nowhere, and no files."""
    store.use("first")
    assert store.remove("first") is True
    assert store.chosen() == "embedded"
    assert not [path for path in store.root.iterdir() if "removed" in path.name]
    with pytest.raises(WeightsError, match="no such model"):
        store.remove("first")
    with pytest.raises(WeightsError, match="belongs to the package"):
        store.remove("embedded")


def test_a_link_is_not_followed_when_removing(store: ModelStore, folder: Path) -> None:
    """A folder elsewhere is not the store's to delete."""
    (store.root / "linked").symlink_to(folder)
    with pytest.raises(WeightsError, match="no such model"):
        store.remove("linked")
    assert (folder / "config.json").is_file()


def test_models_are_located_by_name_or_folder(store: ModelStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of the store comes before a folder of that name; the embedded one has none."""
    monkeypatch.chdir(folder.parent)
    shutil.copytree(folder, folder.parent / "first")
    assert store.locate("embedded") == "embedded"
    assert store.locate("first") == str(store.root / "first")
    assert store.locate(folder.name) == folder.name
    assert store.locate(str(folder)) == str(folder)
    with pytest.raises(WeightsError, match=f"'none' has no config.json in {store.root}/none or none"):
        store.locate("none")


def test_where_models_are_kept() -> None:
    """By the platform's rule for application data."""
    home = Path("/home/ada lovelace")
    assert models_directory({}, platform="linux", home=home) == home / ".local/share/wilor-sidecar/models"
    xdg = {"XDG_DATA_HOME": "/data"}
    assert models_directory(xdg, platform="linux", home=home) == Path("/data/wilor-sidecar/models")
    on_mac = home / "Library/Application Support/wilor-sidecar/models"
    assert models_directory(xdg, platform="darwin", home=home) == on_mac
