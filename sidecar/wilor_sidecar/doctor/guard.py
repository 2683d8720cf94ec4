"""What keeps one check from stopping the others."""

from collections.abc import Callable, Iterable, Iterator

from wilor_sidecar.doctor.findings import Finding, problem
from wilor_sidecar.installation import install_command

TELL_US = "wilor-sidecar doctor --report, and attach the file to an issue"


def guarded(check: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What a check finds; a check that fails where none should is a problem of its own."""
    try:
        yield from look()
    except ModuleNotFoundError as error:
        yield problem(check, f"the package {error.name} is missing", install_command())
    except Exception as error:  # whatever it is, it is what a report is for
        lines = str(error).splitlines() or [""]
        yield problem(check, f"the check itself failed: {type(error).__name__}: {lines[0]}", TELL_US)
