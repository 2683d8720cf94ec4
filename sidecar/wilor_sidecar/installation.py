"""How this program was installed, and the command that installs all of its parts anew.

Needs nothing but Python: it is asked where parts are missing.
"""

import json
import shlex
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlparse

_NAME = "wilor-sidecar"
_PARTS = "[daemon,camera]"


def install_command() -> str:
    """The command that mends this installation: brings missing parts, and replaces damaged ones."""
    return install_command_of(Path(sys.prefix), sys.executable, _direct_url())


def install_command_of(prefix: Path, python: str, direct_url: str | None) -> str:
    """`install_command` of another installation.

    Args:
        prefix: of its environment (`sys.prefix`). uv and pipx leave a file of their own in those that they make.
        python: its interpreter.
        direct_url: its `direct_url.json`, where it did not come from an index: see
            https://packaging.python.org/specifications/direct-url-data-structure.
    """
    if "Cellar" in prefix.parts:
        return f"brew reinstall {_NAME}"
    origin = json.loads(direct_url) if direct_url else {}
    is_editable = origin.get("dir_info", {}).get("editable", False)
    if is_editable:
        wanted = f"--editable {shlex.quote(unquote(urlparse(origin['url']).path) + _PARTS)}"
    else:
        wanted = shlex.quote(f"{_NAME}{_PARTS}" + (f" @ {origin['url']}" if origin else ""))
    if (prefix / "uv-receipt.toml").is_file():
        return f"uv tool install --reinstall {wanted}"
    if (prefix / "pipx_metadata.json").is_file():
        return f"pipx install --force {wanted}"
    again = "" if is_editable else "--force-reinstall " if origin else "--upgrade "
    return f"{shlex.quote(python)} -m pip install {again}{wanted}"


def _direct_url() -> str | None:
    try:
        return distribution(_NAME).read_text("direct_url.json")
    except PackageNotFoundError:
        return None
