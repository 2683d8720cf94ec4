"""What a person does next about the agent. Pure."""

from pathlib import Path

from wilor_protocol.replies import State, StatusReply
from wilor_sidecar.agent.report import Report

_LOGS = "`wilor-sidecar agent logs`"
_START = "`wilor-sidecar agent start`"
_RESTART = "`wilor-sidecar agent restart`"
_STOP = "`wilor-sidecar agent stop`"
_DENIED = (
    "macOS keeps a file from it (Operation not permitted): nothing that it needs, itself included, can lie in "
    "Documents, Desktop, Downloads or a cloud's drive; `wilor-sidecar doctor` says what does, and what helps"
)


def advice(
    report: Report,
    status: StatusReply | None,
    *,
    is_installed: bool,
    is_outdated: bool,
    settings_problem: str | None,
    settings_file: Path,
) -> str:
    """One sentence; empty when there is nothing to do.

    Args:
        report: what the supervisor says.
        status: what the daemon in the agent's run directory says; None: nobody answers there.
        is_installed: the definition is there.
        is_outdated: the daemon was started before an upgrade.
        settings_problem: why the daemon would refuse to start; None: it would not.
        settings_file: where settings are written.
    """
    if not is_installed and not report.is_loaded:
        return "it is not installed: `wilor-sidecar agent install`"
    if settings_problem:
        return f"mend {settings_file}: as it is the daemon will not start again; then {_RESTART}"
    if status is None:
        return _unanswered(report)
    if status.pid != report.pid:
        return _answered_by_another(report, status.pid)
    if is_outdated:
        return f"{_RESTART}: what runs is not what is installed now"
    return "" if status.ready else _not_ready(status.state)


def _unanswered(report: Report) -> str:
    if report.pid is not None:
        return f"it runs and does not answer yet: ask again in a moment, or see {_LOGS}"
    if report.is_denied:
        return f"{_DENIED}; {_STOP} ends its starts until then"
    if report.is_loaded and report.will_start:
        return f"it will be started again; {_LOGS} tells why it ended"
    return f"{_START}; {_LOGS} tells why it ended" if report.last_exit else _START


def _answered_by_another(report: Report, process_id: int) -> str:
    then = "the agent's takes over by itself" if report.pid or report.will_start else f"then {_START}"
    return f"stop the other one (kill {process_id}); {then}"


def _not_ready(state: State) -> str:
    if state in ("starting", "loading", "warming"):
        return "it is being started: ask again in a moment"
    return f"`wilor-sidecar doctor` looks for the cause, {_LOGS} tells more; when it is mended: {_RESTART}"
