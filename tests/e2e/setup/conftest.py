"""A stand-in hub with a small network on it, and a home of its own for each test."""

import hashlib
import io
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.setup.stand_in_hub import COMMIT, REPOSITORY, StandInHub
from tests.e2e.test_commands import PROGRAM
from tests.unit.weights.files import write_checkpoint
from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.seeded import checkpoint

NETWORK = "pretrained_models/wilor_final.ckpt"
MEAN_PARAMS = "pretrained_models/mano_mean_params.npz"
SIZE = (64, 2)


@pytest.fixture(scope="session")
def tensors() -> dict[str, Array]:
    """A seeded network, as upstream's checkpoint would hold it."""
    return checkpoint(3, *SIZE)


@pytest.fixture(scope="session")
def published(tensors: dict[str, Array], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the repository."""
    path = write_checkpoint(tmp_path_factory.mktemp("published") / "wilor_final.ckpt", tensors)
    mean = io.BytesIO()
    np.savez(
        mean,
        pose=tensors["backbone.init_hand_pose"][0],
        shape=tensors["backbone.init_betas"][0],
        cam=tensors["backbone.init_cam"][0],
    )
    return {NETWORK: path.read_bytes(), MEAN_PARAMS: mean.getvalue()}


@pytest.fixture(scope="session")
def large(tensors: dict[str, Array], published: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The same network with 24 MB of what conversion drops: huggingface_hub writes to disk every 10 MB."""
    ballast = np.random.default_rng(0).standard_normal(6_000_000, np.float32)
    path = tmp_path_factory.mktemp("large") / "wilor_final.ckpt"
    return write_checkpoint(path, {**tensors, "discriminator.ballast": ballast}).read_bytes()


@pytest.fixture
def hub(published: dict[str, bytes]) -> Iterator[StandInHub]:
    """The hub, for one test."""
    with StandInHub(published) as running:
        yield running


def pinned(name: str, content: bytes) -> dict[str, object]:
    """A manifest's entry for a file."""
    return {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@dataclass
class Home:
    """A user's home, from which `setup` is run.

    Attributes:
        path: of the home.
        environment: for the program.
        manifest: what is to be fetched.
    """

    path: Path
    environment: dict[str, str]
    manifest: Path

    @property
    def models(self) -> Path:
        """Where models are kept."""
        return self.path / "models"

    @property
    def cache(self) -> Path:
        """Where huggingface_hub keeps files."""
        return self.path / "huggingface" / "hub"

    def list_repository(self, origin: str = "upstream", **changes: object) -> None:
        """Change what the manifest says of a repository; None takes an entry away."""
        listed = json.loads(self.manifest.read_text())
        entry = {"repository": REPOSITORY, **listed.get(origin, {}), **changes}
        listed[origin] = {name: value for name, value in entry.items() if value is not None}
        self.manifest.write_text(json.dumps(listed))

    def publish(self, hub: StandInHub, network: bytes) -> None:
        """Put another network on the hub, and pin it."""
        hub.files[NETWORK] = network
        self.list_repository(network=pinned(NETWORK, network))

    def assert_untouched(self) -> None:
        """There is no model, nothing half-made, and the embedded one is the default."""
        assert self.listed() == []
        assert self.default() == "embedded"
        left = {path.name for path in self.models.iterdir()} if self.models.exists() else set()
        assert left <= {".setup.lock", ".licences.json"}

    def arguments(self, *more: str) -> list[str]:
        """The command line."""
        return [*PROGRAM, "setup", "--manifest", str(self.manifest), "--accept-licences", *more]

    def run(self, *more: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `setup`, accepting the licences."""
        return self.command(self.arguments(*more), stdin, **environment)

    def command(self, line: list[str], stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run any command in this home."""
        return subprocess.run(
            line,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env={**self.environment, **environment},
        )

    def models_command(self, *arguments: str) -> str:
        """What `models` prints."""
        result = self.command([*PROGRAM, "models", *arguments])
        assert result.returncode == 0, result.stderr
        return result.stdout

    def doctor(self) -> "subprocess.CompletedProcess[str]":
        """What `doctor` says of this home, with no daemon."""
        return self.command([*PROGRAM, "doctor", "--run-dir", str(self.path / "no-daemon")])

    def listed(self) -> list[str]:
        """The names of the models that there are, the embedded one left out."""
        return [str(model["name"]) for model in self._listing()][1:]

    def default(self) -> str:
        """The model that would be served."""
        (default,) = [str(model["name"]) for model in self._listing() if model["is_default"]]
        return default

    def _listing(self) -> list[dict[str, object]]:
        listing: list[dict[str, object]] = json.loads(self.models_command("--json"))
        return listing


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that the tests share, so that MLX compiles its kernels once and not for each home."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def home(tmp_path: Path, hub: StandInHub, published: dict[str, bytes], kernels: Path) -> Home:
    """A fresh home, whose hub is the stand-in and whose manifest pins its files."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("WILOR_", "HF_"))}
    environment = {
        **inherited,
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(kernels),
        "HF_HOME": str(tmp_path / "huggingface"),
        "HF_ENDPOINT": hub.endpoint,
        "HF_HUB_ETAG_TIMEOUT": "30",
        "WILOR_SIDECAR_MODELS_DIR": str(tmp_path / "models"),
        "WILOR_SIDECAR_CONFIG": os.devnull,
        "NO_PROXY": "127.0.0.1,localhost",
    }
    upstream = {
        "repository": REPOSITORY,
        "revision": COMMIT,
        "network": pinned(NETWORK, published[NETWORK]),
        "mean_params": {"name": MEAN_PARAMS},
        "has_mano": True,
    }
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"upstream": upstream}))
    return Home(tmp_path, environment, manifest)
