"""A daemon of one's own, as a child process: for the demo, the benchmarks and the tests."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from wilor_client import HandClient, NoReplyError
from wilor_protocol.address import RUN_VARIABLE, events_address, requests_address
from wilor_protocol.replies import State, StatusReply
from wilor_sidecar.config import without_settings
from wilor_sidecar.config.file import CONFIG_VARIABLE

_ASK_AGAIN_MS = 100


class DaemonDiedError(Exception):
    """The daemon ended, or never became ready; the text has what it said last."""


class DaemonProcess:
    """`wilor-sidecar serve` in a private directory, from `with` to the end of its block.

    Attributes:
        run_dir: where its sockets are.
        process: the child.
    """

    def __init__(
        self,
        model: str | None = "embedded",
        *,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        run_dir: Path | None = None,
        module: str = "wilor_sidecar",
    ) -> None:
        """Prepare; entering the `with` starts it.

        Args:
            model: see `serve --model`; None: no such flag.
            arguments: further ones for `serve`.
            environment: added to this process's, which lends it no settings; nor does this user's settings file.
            run_dir: an existing directory to use; None: a fresh one, removed at the end.
            module: run in place of ours, with the same arguments; a test's may break something first.
        """
        # A fresh directory directly under the temporary one: a socket's path must be short.
        self._own_dir = None if run_dir else tempfile.TemporaryDirectory(prefix="wilor-", ignore_cleanup_errors=True)
        self.run_dir = run_dir or Path(self._own_dir.name)  # type: ignore[union-attr]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        named = () if model is None else ("--model", model)
        self._command = [sys.executable, "-P", "-m", module, "serve", *named, *arguments]
        own = {CONFIG_VARIABLE: os.devnull, RUN_VARIABLE: str(self.run_dir)}
        self._environment = {**without_settings(os.environ), **own, **(environment or {})}

    @property
    def requests_address(self) -> str:
        """Where it answers."""
        return requests_address(self.run_dir)

    @property
    def events_address(self) -> str:
        """Where it publishes."""
        return events_address(self.run_dir)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._log.close()
        if self._own_dir:
            self._own_dir.cleanup()

    def start(self) -> None:
        """Start it; also again, after it has ended."""
        self.process = subprocess.Popen(self._command, stderr=self._log, env=self._environment)  # noqa: S603

    def wait_until(self, *states: State, timeout_s: float = 200) -> StatusReply:
        """Ask until it is in one of these states.

        Raises:
            DaemonDiedError: it ended, or the time is up.
        """
        deadline = time.monotonic() + timeout_s
        with HandClient(self.requests_address, timeout_ms=_ASK_AGAIN_MS) as client:
            while self.process.poll() is None and time.monotonic() < deadline:
                try:
                    status = client.status()
                except NoReplyError:
                    continue
                if status.state in states:
                    return status
                time.sleep(_ASK_AGAIN_MS / 1000 / 10)
        raise DaemonDiedError(f"the daemon is not {' or '.join(states)}; its log ends:\n{self.log()[-2000:]}")

    def stop(self, timeout_s: float = 10) -> int:
        """Ask it to stop as a supervisor would, and wait.

        Returns:
            Its exit status.
        """
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def log(self) -> str:
        """What it has logged so far."""
        # pread, because the place in the file is shared with the child, which writes at it.
        descriptor = self._log.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")
