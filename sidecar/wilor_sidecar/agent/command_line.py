"""Runs a program of the system's."""

import subprocess
from collections.abc import Mapping, Sequence

from wilor_sidecar.agent.errors import AgentError

_TIMEOUT_S = 60


def run_command(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, whatever its exit status.

    Raises:
        AgentError: it is not there, or does not end.
    """
    try:
        return subprocess.run(  # noqa: S603 - ours, and no shell
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise AgentError(f"{command[0]}: there is no such program here") from None
    except subprocess.TimeoutExpired:
        raise AgentError(f"{' '.join(command)}: no answer within {_TIMEOUT_S} s") from None


def failure(run: subprocess.CompletedProcess[str]) -> AgentError:
    """What a command that failed said."""
    said = " ".join((run.stderr or run.stdout).split()) or "it said nothing"
    return AgentError(f"{' '.join(run.args)}: exit status {run.returncode}: {said}")
