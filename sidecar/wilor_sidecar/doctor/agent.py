"""Whether the daemon is started at login, and will be able to."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from wilor_sidecar.agent.errors import AgentError
from wilor_sidecar.agent.needs import agent_obstacles
from wilor_sidecar.agent.own_settings import agent_settings
from wilor_sidecar.agent.supervisor import Supervisor, supervisor_of_this_system
from wilor_sidecar.doctor.findings import Finding, ok, problem, warning


def check_agent(home: Path) -> Iterator[Finding]:
    """Ask the supervisor."""
    try:
        supervisor = supervisor_of_this_system(os.environ, home, os.getuid())
        yield _definition(supervisor)
    except AgentError as error:
        yield warning("agent", str(error))
        return
    if not supervisor.file.path.is_file():
        return
    settings = agent_settings(supervisor.environment, os.environ)
    if settings.problem:
        yield problem("agent", f"it will not start: {settings.problem}", f"mend {settings.file}")
    for each in agent_obstacles(supervisor.program(), settings, platform=sys.platform, home=home):
        yield (problem if each.is_certain else warning)("agent", str(each), each.remedy)


def _definition(supervisor: Supervisor) -> Finding:
    file, name = supervisor.file.path, supervisor.name
    if not file.is_file():
        return warning("agent", "the daemon is not started at login", "wilor-sidecar agent install")
    if not supervisor.starts_at_login():
        text = f"{file} is there, but {name} does not start the daemon at login: it is switched off"
        return warning("agent", text, "wilor-sidecar agent start")
    program = supervisor.program()
    if program is None or not os.access(program, os.X_OK):
        text = f"{file} has {name} start {program or 'nothing'}, which is no program"
        return problem("agent", text, "wilor-sidecar agent install --force")
    return ok("agent", f"{file} has {name} start {program} at login")
