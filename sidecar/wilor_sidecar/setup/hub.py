"""Files from the Hugging Face hub, into the cache that huggingface_hub shares with other programs.

Requests, redirects, tokens, retries and the progress bar are huggingface_hub's. Ours is that a cut download goes on in
a later run, which its own cache cannot, that a link which has expired meanwhile is asked for anew, and that bytes are
compared with the hash that was promised.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from wilor_sidecar.setup.errors import SetupError
from wilor_sidecar.setup.hub_refusals import told
from wilor_sidecar.setup.manifest import RemoteFile
from wilor_sidecar.weights.digest import sha256_of
from wilor_sidecar.weights.durable_files import replace_text, sync_file
from wilor_sidecar.weights.provenance import FetchedFile

_NEWEST = "main"
_SHA256_HEX = 64
_NO_LONGER = (401, 403)
"""What a storage host says of a signed link that has expired; of an account it knows nothing."""


@dataclass(frozen=True)
class Fetched:
    """A file that is here.

    Attributes:
        path: in the cache.
        record: for the provenance.
    """

    path: Path
    record: FetchedFile


def settle_hub(*, offline: bool) -> None:
    """Set what huggingface_hub reads from the environment once, when it is imported."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ["HF_HUB_DISABLE_XET"] = "1"  # its downloads cannot be taken up again by a later run
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"


def is_offline() -> bool:
    """Whether nobody is to be asked, as huggingface_hub reads the environment; see `settle_hub`."""
    from huggingface_hub import is_offline_mode  # noqa: PLC0415 - reads the environment: see settle_hub

    return is_offline_mode()


class Hub:
    """One repository at one commit.

    Attributes:
        repository: its name.
    """

    def __init__(self, repository: str, revision: str | None, say: Callable[[str], None]) -> None:
        """Look at nothing yet.

        Args:
            repository: its name on the hub.
            revision: 40 hex digits; None: the newest there is when the first file is asked for, for all files.
            say: shows a line.
        """
        self.repository = repository
        self._is_pinned = revision is not None
        self._commit = revision
        self._say = say

    @property
    def cache(self) -> Path:
        """Where files go: `$HF_HOME/hub`, by default `~/.cache/huggingface/hub`."""
        from huggingface_hub import constants  # noqa: PLC0415 - reads the environment: see settle_hub

        return Path(constants.HF_HUB_CACHE)

    def cached(self, file: RemoteFile) -> Path | None:
        """Where the file is, if the cache has it. No network where the revision is pinned.

        Raises:
            SetupError: which commit is the newest cannot be found out.
        """
        with told(self.repository, file.name):
            return self._in_cache(file, self._settled_commit(file))

    def sizes(self, file: RemoteFile) -> tuple[int, int]:
        """How many bytes a file has, and how many are still to be fetched.

        Raises:
            SetupError: the hub cannot be asked, or has another file than was expected.
        """
        if path := self.cached(file):
            return _size_of(path), 0
        announced = self.ask(file)
        return announced.size, announced.missing

    def ask(self, file: RemoteFile) -> "Announced":
        """Ask the hub for a file, whatever the cache has. Nothing is fetched.

        Raises:
            SetupError: the hub cannot be asked, or has another file than was expected.
        """
        with told(self.repository, file.name):
            return self._ask(file)

    def fetch(self, file: RemoteFile) -> Fetched:
        """Get a file, from the cache or from the hub, and compare it with what is known of it.

        Raises:
            SetupError: it cannot be had, or is not what was promised.
        """
        path = self.cached(file)
        with told(self.repository, file.name):
            if path is None:
                path = self._download(file)
            else:
                self._say(f"{file.name}: in the cache")
            return Fetched(path, self._checked(file, path))

    def _settled_commit(self, file: RemoteFile) -> str:
        """The commit that every file is taken from; without a pin the hub is asked for it once, through one file."""
        if self._commit is None:
            self._commit = self._newest_in_cache(file) if is_offline() else self._metadata(file, _NEWEST).commit
        return self._commit

    def _newest_in_cache(self, file: RemoteFile) -> str:
        from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415

        path = self._in_cache(file, _NEWEST)
        if path is None:
            raise LocalEntryNotFoundError(file.name)
        return _commit_of(file, path)

    def _in_cache(self, file: RemoteFile, revision: str) -> Path | None:
        from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415

        found = try_to_load_from_cache(self.repository, file.name, revision=revision)
        return Path(found) if isinstance(found, str) else None

    @property
    def _folder(self) -> Path:
        """The repository's in the cache."""
        from huggingface_hub.file_download import repo_folder_name  # noqa: PLC0415

        return self.cache / repo_folder_name(repo_id=self.repository, repo_type="model")

    def _metadata(self, file: RemoteFile, revision: str) -> "_Metadata":
        """What the hub says of a file at a revision."""
        from huggingface_hub import get_hf_file_metadata, hf_hub_url  # noqa: PLC0415

        url = hf_hub_url(self.repository, file.name, revision=revision)
        found = get_hf_file_metadata(url)
        if not found.commit_hash or not found.etag or found.size is None or "/" in found.etag:
            raise SetupError(f"{url}: the answer is not a hub's (no commit, hash or size); is HF_ENDPOINT right?")
        return _Metadata(url, found.location, found.commit_hash, found.etag, found.size)

    def _ask(self, file: RemoteFile) -> "Announced":
        """What the hub says of a file now, compared with what is known of it. Its link may expire within the hour."""
        commit = self._settled_commit(file)
        found = self._metadata(file, commit)
        if found.commit != commit:
            raise SetupError(f"{found.url}: the hub answers with commit {found.commit} instead of {commit}")
        if file.size not in (None, found.size):
            raise SetupError(
                f"{found.url}: has {found.size} bytes, expected {file.size}; the file is not the one that was pinned"
            )
        if len(found.etag) == _SHA256_HEX and file.sha256 not in (None, found.etag):
            raise SetupError(
                f"{found.url}: has SHA-256 {found.etag}, expected {file.sha256}; the file is not the one that was "
                "pinned"
            )
        return Announced(found.url, found.location, found.etag, found.size, self._folder / "blobs" / found.etag)

    def _download(self, file: RemoteFile) -> Path:
        """Fetch what is missing of a file, and give it to the cache."""
        from huggingface_hub import hf_hub_download  # noqa: PLC0415

        announced = self._ask(file)
        part = announced.part
        if not announced.blob.exists():
            part.parent.mkdir(parents=True, exist_ok=True)
            if got := _size_of(part):
                self._say(f"{file.name}: going on from {got / 1e6:.1f} of {announced.size / 1e6:.1f} MB")
            self._append(file, announced)
            self._refuse_damaged(part, file.sha256 or announced.sha256)
            part.replace(announced.blob)
        path = Path(hf_hub_download(self.repository, file.name, revision=self._commit))
        if path.resolve() != announced.blob.resolve():
            raise SetupError(f"{self.repository}: changed while it was being fetched; run the command again")
        if not self._is_pinned:  # as huggingface_hub notes it, for who looks for the newest without a network
            replace_text(self._folder / "refs" / _NEWEST, _commit_of(file, path))
        return path

    def _append(self, file: RemoteFile, announced: "Announced") -> None:
        """Fetch the rest. A link that is refused is asked for anew, as long as each one brought something."""
        from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415

        fruitless = 0
        while True:
            got = _size_of(announced.part)
            try:
                _append_from(announced)
            except HfHubHTTPError as error:
                fruitless = 1 if _size_of(announced.part) > got else fruitless + 1
                if announced.is_at_hub or error.response.status_code not in _NO_LONGER or fruitless > 1:
                    raise
            else:
                return
            self._say(f"{file.name}: its link is no longer taken; asking the hub for another")
            announced = self._ask(file)

    def _refuse_damaged(self, part: Path, sha256: str | None) -> None:
        """Going on from damaged bytes would never end well, so they are thrown away."""
        if sha256 and (found := sha256_of(part)) != sha256:
            part.unlink()
            raise SetupError(
                f"{self.repository}: what arrived has SHA-256 {found}, expected {sha256}; it was thrown away. "
                "Run the command again; if this repeats, something between you and the hub changes files"
            )

    def _checked(self, file: RemoteFile, path: Path) -> FetchedFile:
        """The record of a file of the cache, once its bytes are what they should be."""
        blob, size, found = path.resolve(), path.stat().st_size, sha256_of(path)
        announced = blob.name if len(blob.name) == _SHA256_HEX else None
        expected = file.sha256 or announced
        if file.size not in (None, size) or expected not in (None, found):
            raise SetupError(
                f"{path}: has {size} bytes and SHA-256 {found}, expected {file.size or 'any'} and {expected}. "
                f"Delete {blob} and run the command again"
            )
        return FetchedFile(
            repository=self.repository,
            revision=_commit_of(file, path),
            pinned=self._is_pinned,
            name=file.name,
            size=size,
            sha256=found,
            checked_against="manifest" if file.sha256 else "hub" if announced else None,
        )


@dataclass(frozen=True)
class _Metadata:
    """A file as the hub tells of it, nothing of it checked."""

    url: str
    location: str
    commit: str
    etag: str
    size: int


@dataclass(frozen=True)
class Announced:
    """What the hub says of a file: where it is, its hash (SHA-256 for large files, else git's) and size in bytes."""

    url: str
    location: str
    etag: str
    size: int
    blob: Path

    @property
    def missing(self) -> int:
        """How many bytes are still to be fetched, when the whole file is not in the cache."""
        return self.size - _size_of(self.part)

    @property
    def part(self) -> Path:
        """What has been fetched so far. Its name holds the hash, so it only ever goes on with the same file."""
        return self.blob.with_name(f"{self.etag}.wilor-sidecar.part")

    @property
    def sha256(self) -> str | None:
        """None where the hash is git's."""
        return self.etag if len(self.etag) == _SHA256_HEX else None

    @property
    def is_at_hub(self) -> bool:
        """Whether the hub itself has it, and not a storage host to which it gives signed links."""
        return _host(self.location) == _host(self.url)


def _append_from(announced: Announced) -> None:
    """Fetch the rest of a file by this one link."""
    from huggingface_hub.file_download import http_get  # noqa: PLC0415
    from huggingface_hub.utils._headers import build_hf_headers  # noqa: PLC0415

    headers: dict[str, Any] = build_hf_headers()
    if not announced.is_at_hub:
        headers.pop("authorization", None)  # the token is the hub's, not its storage's
    part = announced.part
    got = _size_of(part)
    if got > announced.size:
        part.unlink()
        got = 0
    with part.open("r+b" if got else "wb") as file:
        file.seek(got)
        http_get(
            announced.location,
            file,
            resume_size=got,
            headers=headers,
            expected_size=announced.size,
            displayed_filename=announced.url.rsplit("/", 1)[-1],
        )
        sync_file(file)


def _host(url: str) -> tuple[str | None, int | None]:
    """Without what may stand before it: a user and a password."""
    parsed = urlparse(url)
    return parsed.hostname, parsed.port


def _commit_of(file: RemoteFile, path: Path) -> str:
    """Which commit a file of the cache belongs to: the folder above its name."""
    return path.parents[len(Path(file.name).parts) - 1].name


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
