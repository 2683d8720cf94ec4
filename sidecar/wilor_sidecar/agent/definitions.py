"""What the supervisor is told of the daemon: the templates, filled in. Pure."""

import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

from wilor_sidecar.agent.errors import AgentError

LABEL = "org.wilor-sidecar.daemon"
"""By which launchd knows the daemon."""
UNIT = "wilor-sidecar.service"
"""By which systemd does."""

Session = Literal["Aqua", "Background"]
"""launchd's word for a login at the screen, or for any, also over the network."""

_PLACEHOLDER = re.compile(r"@\{(\w+)\}")


def launchd_plist(*, program: Path, home: Path, output: Path, session: Session) -> str:
    """The property list of a launchd agent.

    Args:
        program: ours, absolute.
        home: the user's home directory.
        output: the file for what is printed before the log is open.
        session: in which kind of session the daemon is started.

    Raises:
        AgentError: a path cannot be written in such a file.
    """
    values: dict[str, str | Path] = {
        "label": LABEL,
        "program": program,
        "home": home,
        "output": output,
        "session": session,
    }
    return _filled("launchd.plist", values, escape)


def systemd_unit(*, program: Path) -> str:
    """The unit of a systemd user service.

    Args:
        program: ours, absolute.

    Raises:
        AgentError: its path cannot be written in such a file.
    """
    return _filled("systemd.service", {"program": program}, _systemd_word)


def _filled(template: str, values: dict[str, str | Path], quote: Callable[[str], str]) -> str:
    text = resources.files(__package__).joinpath("templates", template).read_text(encoding="utf-8")
    texts = {name: quote(_writable(str(value))) for name, value in values.items()}
    return _PLACEHOLDER.sub(lambda found: texts[found[1]], text)


def _writable(text: str) -> str:
    if not text.isprintable():  # controls, and what is not UTF-8
        raise AgentError(f"{text!r} has characters that a service's definition cannot have: choose another folder")
    return text


def _systemd_word(text: str) -> str:
    """The first word of a command line, where systemd takes no quote or backslash for itself, however it is written."""
    if set(text) & set("\"'\\"):
        raise AgentError(f"{text}: systemd starts no program that has quotes or backslashes in its path")
    return '"' + text.replace("%", "%%") + '"'
