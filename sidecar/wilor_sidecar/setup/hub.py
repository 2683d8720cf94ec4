"""Files from the Hugging Face hub, into the cache that huggingface_hub shares with other programs.

Requests, redirects, tokens, retries and the progress bar are huggingface_hub's. Ours is that a cut download goes on in
a later run, which its own cache cannot, and that bytes are compared with the hash that was promised.
"""

import contextlib
import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from wilor_sidecar.setup.errors import SetupError
from wilor_sidecar.setup.manifest import RemoteFile
from wilor_sidecar.weights.provenance import FetchedFile

_NEWEST = "main"
_SHA256_HEX = 64


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


class Hub:
    """One repository at one revision.

    Attributes:
        repository: its name.
    """

    def __init__(self, repository: str, revision: str | None, say: Callable[[str], None]) -> None:
        """Look at nothing yet.

        Args:
            repository: its name on the hub.
            revision: 40 hex digits; None: the newest.
            say: shows a line.
        """
        self.repository = repository
        self._is_pinned = revision is not None
        self._revision = revision or _NEWEST
        self._say = say
        self._asked: dict[str, _Announced] = {}

    @property
    def cache(self) -> Path:
        """Where files go: `$HF_HOME/hub`, by default `~/.cache/huggingface/hub`."""
        from huggingface_hub import constants  # noqa: PLC0415 - reads the environment: see settle_hub

        return Path(constants.HF_HUB_CACHE)

    def cached(self, file: RemoteFile) -> Path | None:
        """Where the file is, if the cache has it. No network."""
        from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415

        found = try_to_load_from_cache(self.repository, file.name, revision=self._revision)
        return Path(found) if isinstance(found, str) else None

    def sizes(self, file: RemoteFile) -> tuple[int, int]:
        """How many bytes a file has, and how many are still to be fetched.

        Raises:
            SetupError: the hub cannot be asked, or has another file than was expected.
        """
        if path := self.cached(file):
            return _size_of(path), 0
        announced = self._announced(file)
        return announced.size, announced.size - _size_of(announced.part)

    def fetch(self, file: RemoteFile) -> Fetched:
        """Get a file, from the cache or from the hub, and compare it with what is known of it.

        Raises:
            SetupError: it cannot be had, or is not what was promised.
        """
        path = self.cached(file)
        if path is None:
            path = self._download(file, self._announced(file))
        else:
            self._say(f"{file.name}: in the cache")
        return Fetched(path, self._checked(file, path))

    def _announced(self, file: RemoteFile) -> "_Announced":
        """What the hub says of a file, before any of it is fetched."""
        if file.name not in self._asked:
            self._asked[file.name] = self._ask(file)
        return self._asked[file.name]

    def _ask(self, file: RemoteFile) -> "_Announced":
        from huggingface_hub import get_hf_file_metadata, hf_hub_url  # noqa: PLC0415
        from huggingface_hub.file_download import repo_folder_name  # noqa: PLC0415

        with _told(self.repository, file.name):
            url = hf_hub_url(self.repository, file.name, revision=self._revision)
            metadata = get_hf_file_metadata(url)
        commit, etag, size = metadata.commit_hash, metadata.etag, metadata.size
        if not commit or not etag or size is None or "/" in etag:
            raise SetupError(f"{url}: the answer is not a hub's (no commit, hash or size); is HF_ENDPOINT right?")
        if self._is_pinned and commit != self._revision:
            raise SetupError(f"{url}: the hub answers with commit {commit} instead of {self._revision}")
        if file.size not in (None, size):
            raise SetupError(f"{url}: has {size} bytes, expected {file.size}; the file is not the one that was pinned")
        if len(etag) == _SHA256_HEX and file.sha256 not in (None, etag):
            raise SetupError(
                f"{url}: has SHA-256 {etag}, expected {file.sha256}; the file is not the one that was pinned"
            )
        blobs = self.cache / repo_folder_name(repo_id=self.repository, repo_type="model") / "blobs"
        return _Announced(url, metadata.location, etag, size, blobs / etag)

    def _download(self, file: RemoteFile, announced: "_Announced") -> Path:
        """Fetch what is missing of a file, and give it to the cache."""
        from huggingface_hub import hf_hub_download  # noqa: PLC0415

        part = announced.part
        if not announced.blob.exists():
            part.parent.mkdir(parents=True, exist_ok=True)
            if got := _size_of(part):
                self._say(f"{file.name}: going on from {got / 1e6:.1f} of {announced.size / 1e6:.1f} MB")
            with _told(self.repository, file.name):
                self._append(part, announced)
            self._refuse_damaged(part, file.sha256 or announced.sha256)
            part.replace(announced.blob)
        with _told(self.repository, file.name):
            path = Path(hf_hub_download(self.repository, file.name, revision=self._revision))
        if path.resolve() != announced.blob.resolve():
            raise SetupError(f"{self.repository}: changed while it was being fetched; run the command again")
        return path

    @staticmethod
    def _append(part: Path, announced: "_Announced") -> None:
        from huggingface_hub.file_download import http_get  # noqa: PLC0415
        from huggingface_hub.utils._headers import build_hf_headers  # noqa: PLC0415

        headers: dict[str, Any] = build_hf_headers()
        if urlparse(announced.location).netloc != urlparse(announced.url).netloc:
            headers.pop("authorization", None)  # the token is the hub's, not its storage's
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
            file.flush()
            os.fsync(file.fileno())

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
            revision=path.parents[len(Path(file.name).parts) - 1].name,
            pinned=self._is_pinned,
            name=file.name,
            size=size,
            sha256=found,
            checked_against="manifest" if file.sha256 else "hub" if announced else None,
        )


@dataclass(frozen=True)
class _Announced:
    """What the hub says of a file: where it is, its hash (SHA-256 for large files, else git's) and size in bytes."""

    url: str
    location: str
    etag: str
    size: int
    blob: Path

    @property
    def part(self) -> Path:
        """What has been fetched so far. Its name holds the hash, so it only ever goes on with the same file."""
        return self.blob.with_name(f"{self.etag}.wilor-sidecar.part")

    @property
    def sha256(self) -> str | None:
        return self.etag if len(self.etag) == _SHA256_HEX else None


def sha256_of(path: Path) -> str:
    """A file's SHA-256, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextlib.contextmanager
def _told(repository: str, file: str) -> Iterator[None]:
    """Turn what huggingface_hub raises into what happened and what to do."""
    from huggingface_hub import errors  # noqa: PLC0415

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        yield
    except errors.GatedRepoError as error:
        raise SetupError(
            f"{repository}: the hub wants its conditions accepted first: open https://huggingface.co/{repository}, "
            "accept them, and set HF_TOKEN to a token of that account"
        ) from error
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError) as error:
        raise SetupError(
            f"{repository}: {file} is not in the cache, and this run is offline (--offline or HF_HUB_OFFLINE). "
            "Run it once with a network, or bring the cache along: it is in HF_HOME"
        ) from error
    except errors.HfHubHTTPError as error:
        raise SetupError(f"{repository}: {_told_status(error.response.status_code, file)}") from error
    except OSError as error:
        raise SetupError(f"{repository}: {file} could not be fetched ({_first_line(error)}); {_AGAIN}") from error
    except Exception as error:
        # The hub's HTTP library has errors of its own, and none of them is a defect of ours.
        if type(error).__module__.partition(".")[0] not in ("httpx", "httpx2", "httpcore", "huggingface_hub"):
            raise
        raise SetupError(f"{repository}: the hub cannot be reached ({_first_line(error)}); {_AGAIN}") from error


_AGAIN = "look at the line and run the command again: what has arrived is kept"
_STATUS = {
    401: "the hub wants to know who asks (401): set HF_TOKEN, or unset one that has expired",
    403: "this account may not have it (403): accept the repository's conditions, or use another HF_TOKEN",
    404: "there is no {file} at this revision (404): it was moved or removed; --manifest can name another place",
    416: "the hub cannot go on with a cut download (416): run the command again",
    429: "too many requests (429): wait some minutes and run the command again; an HF_TOKEN raises the limit",
}


def _told_status(status: int, file: str) -> str:
    if status in _STATUS:
        return _STATUS[status].format(file=file)
    return f"the hub answers {file} with status {status}: try again later; what has arrived is kept"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
