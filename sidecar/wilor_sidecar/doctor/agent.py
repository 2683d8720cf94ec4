"""Whether the daemon is started at login."""

import os
from collections.abc import Iterator
from pathlib import Path

from wilor_sidecar.agent.errors import AgentError
from wilor_sidecar.agent.supervisor import supervisor_of_this_system
from wilor_sidecar.doctor.findings import Finding, ok, warning


def check_agent(home: Path) -> Iterator[Finding]:
    """Look for the agent's definition."""
    try:
        supervisor = supervisor_of_this_system(os.environ, home, os.getuid())
    except AgentError as error:
        yield warning("agent", str(error))
        return
    file = supervisor.file.path
    if file.is_file():
        yield ok("agent", f"{file} has {supervisor.name} start the daemon at login")
    else:
        yield warning("agent", "the daemon is not started at login", "wilor-sidecar agent install")
