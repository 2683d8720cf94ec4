"""A local HTTP server that answers as the Hugging Face hub does, and has the faults of a bad day.

Large files answer with a redirect to a storage host, their SHA-256 and their size; small ones with git's hash of them.
"""

import contextlib
import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

REPOSITORY = "someone/weights"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
_CHUNK = 1 << 14
_SMALL = 4096
_ERROR_CODES = {403: "GatedRepo", 404: "EntryNotFound"}


@dataclass
class Faults:
    """What goes wrong, until it is changed.

    Attributes:
        status: that every request for a file gets; None: they are answered.
        error_code: the hub's name for that.
        drop_after: bytes of a body after which the line is cut; None: it is not.
        drops: how many times it is cut.
        stall: cleared: bodies stop half-way until it is set.
        lies: bodies are not what was announced: they are as long, and wrong.
        size_off: added to every announced size.
        link_life: bytes that the hub may send before a link to its storage expires; None: it never does.
        portal: somebody between answers everything with a page to log in.
    """

    status: int | None = None
    error_code: str | None = None
    drop_after: int | None = None
    drops: int = 0
    stall: threading.Event = field(default_factory=threading.Event)
    lies: bool = False
    size_off: int = 0
    link_life: int | None = None
    portal: bool = False


@dataclass(frozen=True)
class _Link:
    """A signed link to the storage: what it leads to, and how many bytes the hub had sent when it was given."""

    content: bytes
    given_at: int


@dataclass(frozen=True)
class Seen:
    """A request that came, its path without the signature."""

    method: str
    path: str
    range: str | None
    token: str | None


class StandInHub:
    """One repository with these files, served while the `with` block lasts."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.commit = COMMIT
        self.older: dict[str, dict[str, bytes]] = {}
        self.links: list[_Link] = []
        self.sent_bytes = 0
        self.faults = Faults()
        self.faults.stall.set()
        self.seen: list[Seen] = []
        self.has_stalled = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def endpoint(self) -> str:
        """For HF_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def storage(self) -> str:
        """The same server under another host's name, as the hub's storage is another host."""
        return f"http://localhost:{self._server.server_port}"

    def push(self, commit: str, changed: Mapping[str, bytes]) -> None:
        """Publish a newer commit; the older ones can still be asked for by their names."""
        self.older[self.commit] = self.files
        self.commit, self.files = commit, {**self.files, **changed}

    def files_at(self, revision: str) -> dict[str, bytes] | None:
        """What a revision holds; None where there is no such revision."""
        return self.files if revision in (self.commit, "main") else self.older.get(revision)

    def bodies(self) -> list[Seen]:
        """The requests for contents, which are what costs."""
        return [each for each in self.seen if each.method == "GET"]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.faults.stall.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler_of(hub: StandInHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class calls it so)
            """Say nothing."""

        def _answer(self) -> None:
            headers = self.headers
            path, _, signature = self.path.partition("?link=")
            hub.seen.append(Seen(self.command, path, headers.get("Range"), headers.get("Authorization")))
            if hub.faults.portal:
                self._send_body(b"<html>please log in</html>")
                return
            if path.startswith("/storage/"):
                self._answer_link(hub.links[int(signature)])
                return
            repository, _, rest = self.path.lstrip("/").partition("/resolve/")
            revision, _, name = rest.partition("/")
            if hub.faults.status is not None:
                self._refuse(hub.faults.status, hub.faults.error_code or _ERROR_CODES.get(hub.faults.status))
            elif repository != REPOSITORY:
                self._refuse(404, "RepoNotFound")
            elif (files := hub.files_at(revision)) is None:
                self._refuse(404, "RevisionNotFound")
            elif name not in files:
                self._refuse(404, "EntryNotFound")
            else:
                self._commit = hub.commit if revision == "main" else revision
                self._send_file(name, files[name])

        def _answer_link(self, link: _Link) -> None:
            life = hub.faults.link_life
            if life is not None and hub.sent_bytes >= link.given_at + life:
                self._refuse(403, None)
            else:
                self._send_body(link.content)

        def _refuse(self, status: int, code: str | None) -> None:
            self.send_response(status)
            if code:
                self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send_file(self, name: str, content: bytes) -> None:
            if len(content) <= _SMALL:
                git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
                self._send_body(content, etag=git)
                return
            hub.links.append(_Link(content, hub.sent_bytes))
            self.send_response(302)
            self.send_header("X-Repo-Commit", self._commit)
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Linked-Size", str(len(content) + hub.faults.size_off))
            self.send_header("Location", f"{hub.storage}/storage/{name}?link={len(hub.links) - 1}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send_body(self, content: bytes, etag: str | None = None) -> None:
            begin = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
            self.send_response(206 if begin else 200)
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
            if etag:
                self.send_header("X-Repo-Commit", self._commit)
                self.send_header("ETag", f'"{etag}"')
            body = content[begin:]
            if hub.faults.lies:
                body = bytes(len(body))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self._write(body)

        def _write(self, body: bytes) -> None:
            sent = 0
            while sent < len(body):
                faults = hub.faults
                if faults.drops and faults.drop_after is not None and sent >= faults.drop_after:
                    faults.drops -= 1
                    self.close_connection = True
                    self.connection.close()
                    return
                if sent >= len(body) // 2 and not faults.stall.is_set():
                    hub.has_stalled.set()
                    faults.stall.wait()
                self.wfile.write(body[sent : sent + _CHUNK])
                sent += _CHUNK
                hub.sent_bytes += _CHUNK

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError, ValueError):  # a client was killed, or the line was cut here
                super().handle()

        def finish(self) -> None:
            with contextlib.suppress(ConnectionError, ValueError):
                super().finish()

    return Handler
