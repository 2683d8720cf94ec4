"""`setup`, step by step: licences, fetching, converting, trying, putting in place. Each step can be interrupted."""

import contextlib
import datetime
import fcntl
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wilor_protocol.version import __version__
from wilor_sidecar.setup.errors import SetupError
from wilor_sidecar.setup.hub import Fetched, Hub
from wilor_sidecar.setup.licences import Licence, settle
from wilor_sidecar.setup.manifest import RemoteFile, Repository
from wilor_sidecar.setup.model_names import model_name
from wilor_sidecar.setup.probe import encode_probe, run_probe
from wilor_sidecar.setup.space import check_space
from wilor_sidecar.weights.convert_isolated import ConversionRequest, convert_isolated
from wilor_sidecar.weights.digest import sha256_of
from wilor_sidecar.weights.durable_files import sync_folder, write_synced
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.folder_check import check_folder
from wilor_sidecar.weights.layout import BlocksDtype
from wilor_sidecar.weights.mano_isolated import check_mano
from wilor_sidecar.weights.model_config import FileEntry
from wilor_sidecar.weights.placing import clear_abandoned, put_in_place, refuse_occupied
from wilor_sidecar.weights.provenance import (
    PROBE_FILE,
    PROVENANCE_FILE,
    Origin,
    Provenance,
    encode_provenance,
)
from wilor_sidecar.weights.store import ModelStore, StoredModel

_LOCK_FILE = ".setup.lock"
_STAGING = ".setup-"
_LEFTOVERS = (_STAGING, ".removed-")

_SHARE_OF_SOURCE: dict[BlocksDtype, float] = {"float32": 1.02, "float16": 0.54, "int8": 0.32, "int4": 0.2}
"""How large a folder is beside a float32 checkpoint of the same network, rounded up."""


@dataclass(frozen=True)
class Wanted:
    """What to set up.

    Attributes:
        origin: whose files.
        repository: where they are.
        dtype: of the folder.
        mano: a hand model that the user brings; None: the source's own.
        accept_licences: the command line says so.
    """

    origin: Origin
    repository: Repository
    dtype: BlocksDtype
    mano: Path | None
    accept_licences: bool

    @property
    def name(self) -> str:
        """What the model is called."""
        return model_name(self.origin, self.dtype)

    @property
    def files(self) -> list[RemoteFile]:
        """What to fetch, the network first."""
        files = [self.repository.network_for(self.dtype), self.repository.mean_params]
        return [file for file in files if file]


@dataclass(frozen=True)
class Console:
    """The person: `say` shows a line, `ask` shows a question and returns the answer; None when nobody is there."""

    say: Callable[[str], None]
    ask: Callable[[str], str] | None


def set_up(wanted: Wanted, store: ModelStore, console: Console) -> str:
    """Make a model out of what its authors publish, and choose it.

    Returns:
        Its name in the store.

    Raises:
        SetupError: it cannot be done; what went wrong, and what would help.
    """
    with _sole_use(store.root):
        try:
            return _Setup(wanted, store, console).run()
        except WeightsError as error:
            raise SetupError(str(error)) from error


class _Setup:
    """One run, under the lock."""

    def __init__(self, wanted: Wanted, store: ModelStore, console: Console) -> None:
        self._wanted = wanted
        self._store = store
        self._console = console
        self._mano = FileEntry(wanted.mano.name, sha256_of(wanted.mano)) if wanted.mano else None

    def run(self) -> str:
        wanted, console = self._wanted, self._console
        licences = settle(
            wanted.origin, self._store.root, by_flag=wanted.accept_licences, say=console.say, ask=console.ask
        )
        if self._is_there():
            console.say(f"{wanted.name} is there already; nothing to fetch or convert{self._how_to_renew()}")
        else:
            # Before gigabytes are fetched.
            refuse_occupied(self._folder, overwrite=True)
            if wanted.mano:
                check_mano(wanted.mano)
            self._make(self._fetch(), licences)
        self._store.use(wanted.name)
        return wanted.name

    @property
    def _folder(self) -> Path:
        """Where the model is, or will be."""
        return self._store.folder(self._wanted.name)

    def _is_there(self) -> bool:
        """Whether the store has exactly this model, whole. Without a pin any revision will do: nobody asks the hub."""
        wanted = self._wanted
        found = next((model for model in self._store.models() if model.name == wanted.name), None)
        if found is None or isinstance(found.config, str) or found.provenance is None:
            return False
        source = found.provenance.fetched[0]
        is_same = (found.provenance.origin, found.provenance.mano) == (wanted.origin, self._mano)
        is_same = is_same and source.repository == wanted.repository.repository
        is_same = is_same and wanted.repository.revision in (None, source.revision)
        return is_same and self._is_as_made(found)

    def _how_to_renew(self) -> str:
        if self._wanted.repository.revision:
            return ""
        return f" (for a newer revision, if there is one, first: wilor-sidecar models remove {self._wanted.name})"

    def _is_as_made(self, found: StoredModel) -> bool:
        try:
            check_folder(found.folder, check_digest=True)
        except WeightsError as error:
            self._console.say(f"{found.name} is damaged ({error}); making it again")
            return False
        return True

    def _fetch(self) -> list[Fetched]:
        repository, files = self._wanted.repository, self._wanted.files
        hub = Hub(repository.repository, repository.revision, self._console.say)
        if repository.revision:
            self._console.say(f"fetching from {repository.repository} at the pinned revision {repository.revision}")
        else:
            self._console.say(
                f"fetching from {repository.repository} at its newest revision: no revision is pinned for it, "
                "so what comes can only be compared with what the hub announces"
            )
        sizes = [hub.sizes(file) for file in files]
        is_packed = files[0] is repository.network_int4  # and stays so
        converted = sizes[0][0] * (1.02 if is_packed else _SHARE_OF_SOURCE[self._wanted.dtype])
        check_space([(hub.cache, sum(missing for _, missing in sizes)), (self._store.root, int(converted))])
        return [hub.fetch(file) for file in files]

    def _make(self, fetched: list[Fetched], licences: tuple[Licence, ...]) -> None:
        """Convert and try in a folder that nobody loads from, then rename it."""
        name = self._wanted.name
        staging = self._store.root / f"{_STAGING}{secrets.token_hex(4)}"
        try:
            clear_abandoned(self._folder)
            staging.mkdir()
            folder = self._converted(fetched, staging / name)
            self._console.say("testing the converted model")
            probe = run_probe(str(folder), check_digest=True)
            write_synced(folder / PROBE_FILE, encode_probe(probe))
            write_synced(folder / PROVENANCE_FILE, encode_provenance(self._provenance(fetched, licences)))
            sync_folder(folder)
            put_in_place(folder, self._folder, overwrite=True)
        except OSError as error:
            raise SetupError(f"{self._folder}: cannot be written ({error.strerror})") from error

    def _converted(self, fetched: list[Fetched], folder: Path) -> Path:
        wanted = self._wanted
        self._console.say(f"converting to {wanted.dtype}")
        return convert_isolated(
            ConversionRequest(
                source=str(fetched[0].path),
                out=str(folder),
                mano=str(wanted.mano) if wanted.mano else None,
                mean_params=str(fetched[1].path) if len(fetched) > 1 else None,
                dtype=wanted.dtype,
                name=wanted.name,
            )
        )

    def _provenance(self, fetched: list[Fetched], licences: tuple[Licence, ...]) -> Provenance:
        return Provenance(
            format_version=1,
            origin=self._wanted.origin,
            fetched=[file.record for file in fetched],
            mano=self._mano,
            licences=[licence.title for licence in licences],
            made_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            made_by=f"wilor-sidecar {__version__}",
        )


@contextlib.contextmanager
def _sole_use(root: Path) -> Iterator[None]:
    """One setup at a time; what an interrupted one left is cleared away."""
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (root / _LOCK_FILE).open("w")
    except OSError as error:
        raise SetupError(f"{root}: cannot be written ({error.strerror})") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SetupError(f"{root}: another setup is running; wait until it has ended") from None
        _clear_leftovers(root)
        try:
            yield
        finally:
            _clear_leftovers(root)


def _clear_leftovers(root: Path) -> None:
    for path in root.iterdir():
        if path.name.startswith(_LEFTOVERS):
            shutil.rmtree(path, ignore_errors=True)
