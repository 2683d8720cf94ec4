"""Which files there are to fetch, from where, and what is known of them beforehand.

`manifest.json` has the revision, size and hash of upstream's files as several public projects pin them, each by itself;
for wilor-mlx's files nobody does, so their newest revision is taken and written down.
"""

from importlib.resources import files
from pathlib import Path

import msgspec

from wilor_sidecar.setup.errors import SetupError
from wilor_sidecar.weights.layout import BlocksDtype
from wilor_sidecar.weights.model_config import Sha256, Text
from wilor_sidecar.weights.provenance import Commit, Origin


class RemoteFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a repository.

    Attributes:
        name: in the repository.
        size: in bytes; None: not known beforehand.
        sha256: None: not known beforehand.
    """

    name: Text
    size: int | None = None
    sha256: Sha256 | None = None


class Repository(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a network is published.

    Attributes:
        repository: on the hub.
        revision: the commit to take; None: the newest.
        network: the checkpoint.
        network_int4: one that is packed already, for a folder in int4.
        mean_params: the mean hand.
        has_mano: whether the checkpoint holds the hand model. If not, it must be brought.
    """

    repository: Text
    network: RemoteFile
    revision: Commit | None = None
    network_int4: RemoteFile | None = None
    mean_params: RemoteFile | None = None
    has_mano: bool = False

    def network_for(self, dtype: BlocksDtype) -> RemoteFile:
        """The checkpoint to convert to this dtype: the smallest that loses nothing."""
        return self.network_int4 if dtype == "int4" and self.network_int4 else self.network


def repository_of(origin: Origin, manifest: Path | None) -> Repository:
    """Where the files of that origin are.

    Args:
        origin: whose files.
        manifest: a file that replaces our list, for a mirror; None: ours.

    Raises:
        SetupError: the list cannot be read, naming the field, or has nothing of that origin.
    """
    try:
        text = manifest.read_bytes() if manifest else files(__package__).joinpath("manifest.json").read_bytes()
        listed = msgspec.json.decode(text, type=dict[Origin, Repository])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SetupError(f"manifest {manifest}: {error}") from error
    if origin not in listed:
        raise SetupError(f"manifest {manifest}: has nothing from {origin}")
    return listed[origin]
