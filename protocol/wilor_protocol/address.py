"""Where the daemon is found when nobody says: one rule for the daemon and every client.

Pure: it looks at nothing but its arguments, and makes nothing.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

APPLICATION = "wilor-sidecar"
RUN_VARIABLE = "WILOR_SIDECAR_RUN"

# A socket's path, in bytes, without the closing NUL: sun_path is 104 bytes on macOS, 108 on Linux.
MAX_SOCKET_PATH_BYTES = {"darwin": 103, "linux": 107}
_LONGEST_SOCKET_NAME = "requests"


def run_directory(environment: Mapping[str, str], *, platform: str, home: Path, user_id: int) -> Path:
    """The private directory that holds the daemon's sockets.

    Args:
        environment: of the process.
        platform: `sys.platform`, "darwin" or "linux".
        home: the user's home directory.
        user_id: the user's number.

    Returns:
        `$WILOR_SIDECAR_RUN`; else `$XDG_RUNTIME_DIR/wilor-sidecar` on Linux and `~/Library/Caches/wilor-sidecar/run`
        on a Mac; else, where there is none or a socket's path in it would be too long, `/tmp/wilor-sidecar-UID`.
    """
    if environment.get(RUN_VARIABLE):
        return Path(environment[RUN_VARIABLE])
    usual = _usual_directory(environment, platform=platform, home=home)
    if usual is not None and socket_path_excess(usual, platform) <= 0:
        return usual
    return Path(f"/tmp/{APPLICATION}-{user_id}")  # noqa: S108 - made private and checked before use


def _usual_directory(environment: Mapping[str, str], *, platform: str, home: Path) -> Path | None:
    if platform == "darwin":
        return home / "Library" / "Caches" / APPLICATION / "run"
    runtime = environment.get("XDG_RUNTIME_DIR")
    return Path(runtime) / APPLICATION if runtime else None


def socket_path_excess(directory: Path, platform: str) -> int:
    """By how many bytes a socket's path in this directory is longer than the system takes; 0 or less is fine."""
    return _path_excess(directory / _LONGEST_SOCKET_NAME, platform)


def _path_excess(path: str | Path, platform: str) -> int:
    limit = MAX_SOCKET_PATH_BYTES.get(platform, MAX_SOCKET_PATH_BYTES["linux"])
    return len(os.fsencode(path)) - limit


def check_address(address: str, platform: str = sys.platform) -> None:
    """Raise ValueError unless a client can connect to this address: `ipc://PATH` or `tcp://HOST:PORT`."""
    scheme, _, place = address.partition("://")
    if scheme == "ipc" and place:
        excess = _path_excess(place, platform)
        if excess > 0:
            raise ValueError(f"address: expected a path that is {excess} bytes shorter, got {address!r}")
        return
    host, _, port = place.rpartition(":")
    if scheme != "tcp" or not host or not (port.isascii() and port.isdecimal()) or not 1 <= int(port) <= 65535:
        raise ValueError(
            f"address: expected ipc://PATH or tcp://HOST:PORT, got {address!r}; a run directory is given as run_dir"
        )


def default_run_directory() -> Path:
    """`run_directory` of this process."""
    return run_directory(os.environ, platform=sys.platform, home=Path.home(), user_id=os.getuid())


def requests_address(directory: Path) -> str:
    """The one address that a client needs; `hello` tells the others."""
    return f"ipc://{directory / 'requests'}"


def events_address(directory: Path) -> str:
    """Where events are published."""
    return f"ipc://{directory / 'events'}"
