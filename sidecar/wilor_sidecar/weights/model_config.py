"""`config.json` of a converted folder: which network the weights are for and where they came from.

Reads, checks and writes the text. Needs neither MLX nor the weights themselves.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.layout import BlocksDtype, Sizes

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
MAX_CONFIG_BYTES = 1 << 20

FORMAT: Literal["wilor-sidecar-weights"] = "wilor-sidecar-weights"
FORMAT_VERSION: Literal[1] = 1
"""Raised when a folder of before can no longer be read, or read rightly, by the code of after."""

LICENCE_NOTE = (
    "These weights are not this program's. WiLoR: CC BY-NC-ND 4.0. MANO: its own licence, non-commercial, not to be "
    "redistributed. Keep this folder to yourself unless you hold the rights to both."
)

SourceKind = Literal["upstream-checkpoint", "upstream-safetensors", "wilor-mlx-float32", "wilor-mlx-int4", "seeded"]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class SizesEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The network's sizes as the file spells them; `ModelConfig.network` has them checked."""

    width: int
    depth: int
    heads: int


class SourceEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file that the network came from: its name without its folder, and what it was."""

    name: Text
    kind: SourceKind
    sha256: Sha256


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another file that went in."""

    name: Text
    sha256: Sha256


class ModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of `config.json`."""

    format: Literal["wilor-sidecar-weights"]
    format_version: Literal[1]
    name: Text
    """For people: what the daemon calls the model."""
    trained: bool
    sizes: SizesEntry
    dtype: BlocksDtype
    source: SourceEntry
    mano: FileEntry | None
    """Where the hand model came from; None when from the source itself."""
    mean_params: FileEntry | None
    """Where the mean hand came from; None when from the source or from MANO's file."""
    weights_sha256: Sha256
    licence: Text
    converter_version: Text

    @property
    def network(self) -> Sizes:
        """The sizes, checked."""
        return Sizes(self.sizes.width, self.sizes.depth, self.sizes.heads)


def read_config(folder: Path) -> ModelConfig:
    """Read a folder's config.json.

    Raises:
        WeightsError: it is missing, or not what this version writes; names the field.
    """
    path = folder / CONFIG_FILE
    try:
        with path.open("rb") as file:
            # Cut short, a larger file is no JSON, and nobody wrote a larger one.
            config = msgspec.json.decode(file.read(MAX_CONFIG_BYTES), type=ModelConfig)
        _ = config.network
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); is {folder} a converted folder?") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, WeightsError) as error:
        raise WeightsError(f"{path}: {error}") from error
    return config


def encode_config(config: ModelConfig) -> bytes:
    """The file's text: JSON that people can read."""
    return msgspec.json.format(msgspec.json.encode(config), indent=2) + b"\n"
