"""Whether the daemon is started at login."""

import sys
from collections.abc import Iterator
from pathlib import Path

from wilor_sidecar.doctor.findings import Finding, ok, warning

_PLIST = Path("Library") / "LaunchAgents" / "org.wilor-sidecar.daemon.plist"
_UNIT = Path(".config") / "systemd" / "user" / "wilor-sidecar.service"


def check_agent(home: Path) -> Iterator[Finding]:
    """Look for the agent's definition."""
    file = home / (_PLIST if sys.platform == "darwin" else _UNIT)
    if file.is_file():
        yield ok("agent", f"{file} starts the daemon at login")
    else:
        yield warning("agent", "the daemon is not started at login", "wilor-sidecar agent install")
