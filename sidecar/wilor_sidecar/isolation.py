"""Work that reads what strangers wrote, in a process of its own with limits on what it may take.

The parent sends one request and gets one answer, or one sentence that says why not. The child dies with its parent.
"""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

import msgspec
import psutil

Request = TypeVar("Request", bound=msgspec.Struct)
Reply = TypeVar("Reply", bound=msgspec.Struct)

_SAID_AT_MOST = 500


class Limits(msgspec.Struct, frozen=True):
    """What a child may take; None: as much as it likes.

    Attributes:
        memory_bytes: of address space, files that it maps included, beyond what the program itself takes.
        cpu_s: of processor time.
        file_bytes: of any file that it writes.
        wall_s: until it is killed.
    """

    memory_bytes: int | None = None
    cpu_s: int | None = None
    file_bytes: int | None = None
    wall_s: float | None = None


class IsolatedError(Exception):
    """The child could not do it: what it said, or how it died."""


class _Answer(msgspec.Struct, omit_defaults=True):
    reply: msgspec.Raw = msgspec.Raw()
    error: str | None = None


class Child:
    """A child at work.

    Attributes:
        pid: of the process.
    """

    def __init__(self, module: str, limits: Limits) -> None:
        """Start it.

        Args:
            module: its main program, which calls `answer`.
            limits: that it sets itself before it reads the request.
        """
        self._limits = limits
        lifeline, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-m", module, str(lifeline)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(lifeline,),
                # One thread: each of a BLAS's threads would reserve address space.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            )
        finally:
            os.close(lifeline)
        self.pid = self._process.pid

    def ask(self, request: Request, reply_type: type[Reply]) -> Reply:
        """Send the request, and wait for the answer.

        Raises:
            IsolatedError: there is none; says why.
        """
        sent = msgspec.json.encode(self._limits) + b"\n" + msgspec.json.encode(request)
        try:
            said, complained = self._process.communicate(sent, timeout=self._limits.wall_s)
        except subprocess.TimeoutExpired:
            raise IsolatedError(f"took more than {self._limits.wall_s:g} s and was stopped") from None
        finally:
            self._end()
        try:
            answered = msgspec.json.decode(said, type=_Answer)
        except msgspec.MsgspecError:
            raise IsolatedError(self._why_it_died(complained)) from None
        if answered.error is not None:
            raise IsolatedError(answered.error)
        return msgspec.json.decode(answered.reply, type=reply_type)

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()
        os.close(self._lifeline)

    def _why_it_died(self, complained: bytes) -> str:
        status = self._process.returncode
        if status == -signal.SIGXCPU:
            return f"took more than {self._limits.cpu_s} s of processor time and was stopped"
        if status == -signal.SIGXFSZ:
            return f"wrote more than {self._limits.file_bytes} bytes and was stopped"
        last = complained.decode(errors="replace").strip().splitlines()[-1:]
        how = f"died of {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return f"{how} without an answer" + (f": {last[0][:_SAID_AT_MOST]}" if last else "")


def answer(request_type: type[Request], work: Callable[[Request], msgspec.Struct], *refusals: type[Exception]) -> None:
    """The child's main program: read the limits and the request, do the work, write the answer.

    Args:
        request_type: what comes.
        work: does it.
        refusals: exceptions of `work` whose text is the answer. Anything else is a defect, and ends in a traceback.
    """
    _die_with_the_parent(int(sys.argv[1]))
    limits = msgspec.json.decode(sys.stdin.buffer.readline(), type=Limits)
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=request_type)
    _take_limits(limits)
    try:
        said = _Answer(reply=msgspec.Raw(msgspec.json.encode(work(request))))
    except refusals as error:
        said = _Answer(error=str(error))
    except MemoryError:
        said = _Answer(error=f"needs more memory than the {(limits.memory_bytes or 0) / 1e9:.1f} GB it may take")
    sys.stdout.buffer.write(msgspec.json.encode(said))
    sys.stdout.flush()


def _die_with_the_parent(lifeline: int) -> None:
    """However the parent ends, the kernel closes its end of the pipe."""

    def watch() -> None:
        with contextlib.suppress(OSError):
            os.read(lifeline, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _take_limits(limits: Limits) -> None:
    """Set what the kernel will enforce; a limit that is already lower stays."""
    # A Mac's processes have gigabytes mapped before their first line, and a limit below that is refused there.
    mapped_bytes = psutil.Process().memory_info().vms
    wanted = {
        resource.RLIMIT_AS: None if limits.memory_bytes is None else mapped_bytes + limits.memory_bytes,
        resource.RLIMIT_CPU: limits.cpu_s,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_CORE: 0,
    }
    for kind, limit in wanted.items():
        if limit is not None:
            soft, hard = resource.getrlimit(kind)
            with contextlib.suppress(OSError, ValueError):  # macOS refuses some
                # One above, because at the hard limit of processor time the kernel kills without saying why.
                resource.setrlimit(kind, (_lower(soft, limit), _lower(hard, limit + 1)))


def _lower(one: int, other: int) -> int:
    return other if one == resource.RLIM_INFINITY else min(one, other)
