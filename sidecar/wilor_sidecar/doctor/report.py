"""A file to attach to a bug report: all findings and versions, without names, paths of the home or tokens."""

import datetime
import getpass
import platform
import re
import socket
from importlib.metadata import distributions
from pathlib import Path

import msgspec

from wilor_protocol.version import PROTOCOL_VERSION, __version__
from wilor_sidecar.config import Effective
from wilor_sidecar.doctor.findings import Finding

_RELEVANT = re.compile(
    r"^(mlx.*|mkl|numpy|scipy|pyzmq|msgspec|safetensors|pillow|huggingface.hub|opencv.*|psutil)$", re.I
)
_SECRET = re.compile(r"\bhf_[A-Za-z0-9]+")
_USER_IN_URL = re.compile(r"(?<=://)[^/?#\s\"]*@")


def report_text(findings: list[Finding], effective: Effective, home: Path) -> str:
    """The report, JSON.

    Args:
        findings: what the doctor found.
        effective: the settings.
        home: the user's home, which is written as ~.
    """
    content = {
        "wilor_sidecar": __version__,
        "protocol": PROTOCOL_VERSION,
        "made_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": {d.name: d.version for d in distributions() if _RELEVANT.match(d.name)},
        "settings_from": effective.origins,
        "findings": [msgspec.to_builtins(finding) for finding in findings],
    }
    text = msgspec.json.format(msgspec.json.encode(content), indent=2).decode()
    return without_private_data(text, home) + "\n"


def without_private_data(text: str, home: Path) -> str:
    """Replace the home, the user's and the host's name, tokens, and what stands before the host in a URL."""
    text = text.replace(str(home), "~")
    text = _USER_IN_URL.sub("", text)
    text = _SECRET.sub("HF_TOKEN", text)
    for name, instead in ((_user(), "USER"), (socket.gethostname(), "HOST")):
        if name:
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", instead, text)
    return text


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
