"""The models that this user keeps: a folder each, and a note of which one is served when nobody says.

Knows folders and their configurations, nothing of MLX. Names that begin with a dot are work in progress and no models:
a model appears by a rename, whole.
"""

import os
import re
import secrets
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wilor_protocol.address import APPLICATION
from wilor_sidecar.weights.durable_files import replace_text
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.model_config import CONFIG_FILE, ModelConfig
from wilor_sidecar.weights.provenance import Provenance, read_provenance

EMBEDDED = "embedded"
"""The model inside the package. It is always there."""

EMBEDDED_FOLDER = Path(__file__).parents[1] / "embedded"
"""Where it is; its model card lies beside the weights."""

_CHOICE_FILE = ".default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def folder_of(located: str) -> Path:
    """The folder of what `ModelStore.locate` found."""
    return EMBEDDED_FOLDER if located == EMBEDDED else Path(located)


def models_directory(environment: Mapping[str, str], *, platform: str, home: Path) -> Path:
    """Where models are kept when nobody says.

    Args:
        environment: of the process.
        platform: `sys.platform`, "darwin" or "linux".
        home: the user's home directory.

    Returns:
        `~/Library/Application Support/wilor-sidecar/models` on a Mac, elsewhere `$XDG_DATA_HOME/wilor-sidecar/models`,
        with `~/.local/share` for a variable that is not set.
    """
    if platform == "darwin":
        return home / "Library" / "Application Support" / APPLICATION / "models"
    return Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share") / APPLICATION / "models"


def default_models_directory() -> Path:
    """`models_directory` of this process."""
    return models_directory(os.environ, platform=sys.platform, home=Path.home())


@dataclass(frozen=True)
class StoredModel:
    """A model of the store.

    Attributes:
        name: by which it is chosen.
        folder: what `load_model` takes.
        config: what it is, or why it cannot be used: all is looked at but the weights' numbers and their hash.
        provenance: how it was got; None when nobody wrote that down.
        size_bytes: on disk.
    """

    name: str
    folder: Path
    config: ModelConfig | str
    provenance: Provenance | None
    size_bytes: int


class ModelStore:
    """The models under one folder, which need not exist yet."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def models(self) -> list[StoredModel]:
        """All of them, by name; also those that cannot be read."""
        if not self.root.is_dir():
            return []
        folders = [path for path in self.root.iterdir() if path.is_dir() and _NAME.fullmatch(path.name)]
        return [_described(folder) for folder in sorted(folders)]

    def folder(self, name: str) -> Path:
        """Where a model of that name is, or would be.

        Raises:
            WeightsError: no model can be called that.
        """
        if not _NAME.fullmatch(name) or name == EMBEDDED:
            raise WeightsError(f"{name!r} is no name for a model: expected letters, digits, '.', '_' and '-'")
        return self.root / name

    def locate(self, model: str) -> str:
        """What to give to `load_model`.

        Args:
            model: "embedded", the name of a model of this store, or a folder.

        Returns:
            "embedded" or the path of a folder with a configuration.

        Raises:
            WeightsError: there is no such model; says where it was looked for.
        """
        if model == EMBEDDED:
            return EMBEDDED
        candidates = [Path(model).expanduser()]
        if _NAME.fullmatch(model):
            candidates.insert(0, self.root / model)
        for folder in candidates:
            if (folder / CONFIG_FILE).is_file():
                return str(folder)
        looked = " or ".join(str(folder) for folder in candidates)
        raise WeightsError(
            f"expected embedded, the name of a model or a converted folder, {model!r} has no {CONFIG_FILE} in {looked}"
        )

    def chosen(self) -> str:
        """The name of the model that is served when nobody says; "embedded" when none was chosen.

        Raises:
            WeightsError: the note of it cannot be read.
        """
        try:
            name = (self.root / _CHOICE_FILE).read_text(encoding="utf-8").strip()
        except (FileNotFoundError, NotADirectoryError):
            return EMBEDDED
        except (OSError, UnicodeDecodeError) as error:
            raise WeightsError(f"{self.root / _CHOICE_FILE}: cannot be read ({error})") from error
        return name or EMBEDDED

    def use(self, name: str) -> None:
        """Serve this model from now on when nobody says.

        Args:
            name: "embedded", or a model of this store.

        Raises:
            WeightsError: there is no such model, or it cannot be used, or the choice cannot be noted.
        """
        if name != EMBEDDED:
            folder = self.folder(name)
            if not folder.is_dir():
                raise WeightsError(f"{name}: there is no such model in {self.root}")
            _checked(folder)
        if name == EMBEDDED and not self.root.is_dir():
            return
        replace_text(self.root / _CHOICE_FILE, name + "\n")

    def remove(self, name: str) -> bool:
        """Delete a model.

        Returns:
            Whether it was the chosen one; the embedded one is from now on.

        Raises:
            WeightsError: there is no such model, or it cannot be deleted.
        """
        if name == EMBEDDED:
            raise WeightsError(f"{EMBEDDED} belongs to the package and cannot be removed; another is served if chosen")
        folder = self.folder(name)
        if not folder.is_dir() or folder.is_symlink():
            raise WeightsError(f"{name}: there is no such model in {self.root}")
        was_chosen = self.chosen() == name
        if was_chosen:
            self.use(EMBEDDED)
        doomed = self.root / f".removed-{secrets.token_hex(4)}"  # gone at once, however long the deleting takes
        try:
            folder.rename(doomed)
            shutil.rmtree(doomed)
        except OSError as error:
            raise WeightsError(f"{folder}: cannot be deleted ({error.strerror})") from error
        return was_chosen


def _described(folder: Path) -> StoredModel:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    try:
        config = _checked(folder)
        return StoredModel(folder.name, folder, config, read_provenance(folder), size)
    except WeightsError as error:
        return StoredModel(folder.name, folder, str(error), None, size)


def _checked(folder: Path) -> ModelConfig:
    """All is looked at but the weights' numbers and their hash."""
    # It needs more than the client, which asks here only for the name of a model.
    from wilor_sidecar.weights.folder_check import check_folder  # noqa: PLC0415

    return check_folder(folder, check_digest=False)
