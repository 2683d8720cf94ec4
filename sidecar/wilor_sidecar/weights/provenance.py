"""`provenance.json` of a model that `setup` made: its files, how they were checked, and which licences apply.

`config.json` says what the weights are; this says how they were got. A folder made by `convert` has none.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.model_config import MAX_CONFIG_BYTES, FileEntry, Sha256, Text

PROVENANCE_FILE = "provenance.json"
PROBE_FILE = "probe.json"
"""What the model answered when it was made: see `setup.probe`."""

Origin = Literal["upstream", "wilor-mlx"]
Check = Literal["manifest", "hub"]
"""What a file's hash was compared with: the one that this program knows, or the one that the hub announced."""
Commit = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{40}$")]


class FetchedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that came from the hub."""

    repository: Text
    revision: Commit
    pinned: bool
    """Whether this program chose the revision; else it was the newest that the hub had, or offline the cache."""
    name: Text
    size: int
    sha256: Sha256
    checked_against: Check | None
    """None: nobody had said what the hash would be."""


class Provenance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of `provenance.json`."""

    format_version: Literal[1]
    origin: Origin
    fetched: Annotated[list[FetchedFile], msgspec.Meta(min_length=1)]
    """The network first."""
    mano: FileEntry | None
    """The hand model that the user brought."""
    licences: list[Text]
    """What was accepted, by name."""
    made_at: Text
    """ISO 8601, UTC."""
    made_by: Text


def read_provenance(folder: Path) -> Provenance | None:
    """How a folder was got; None when nobody wrote that down.

    Raises:
        WeightsError: what was written cannot be read.
    """
    path = folder / PROVENANCE_FILE
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(MAX_CONFIG_BYTES), type=Provenance)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WeightsError(f"{path}: {error}") from error


def encode_provenance(provenance: Provenance) -> bytes:
    """The file's text: JSON that people can read."""
    return msgspec.json.format(msgspec.json.encode(provenance), indent=2) + b"\n"
