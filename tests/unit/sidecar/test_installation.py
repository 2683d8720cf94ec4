"""The command that mends an installation, by how it was made."""

import json
from pathlib import Path

import pytest

from wilor_sidecar.installation import install_command_of

WHEEL = {"url": "file:///home/ada/a%20b/wilor_sidecar-0.1.0-py3-none-any.whl", "archive_info": {}}
CHECKOUT = {"url": "file:///home/ada/a%20b", "dir_info": {"editable": True}}


@pytest.mark.parametrize(
    ("mark", "origin", "command"),
    [
        ("", None, "'/my env/python' -m pip install --upgrade 'wilor-sidecar[daemon,camera]'"),
        ("", CHECKOUT, "'/my env/python' -m pip install --editable '/home/ada/a b[daemon,camera]'"),
        (
            "",
            WHEEL,
            f"'/my env/python' -m pip install --force-reinstall 'wilor-sidecar[daemon,camera] @ {WHEEL['url']}'",
        ),
        ("uv-receipt.toml", None, "uv tool install --reinstall 'wilor-sidecar[daemon,camera]'"),
        ("uv-receipt.toml", WHEEL, f"uv tool install --reinstall 'wilor-sidecar[daemon,camera] @ {WHEEL['url']}'"),
        ("pipx_metadata.json", None, "pipx install --force 'wilor-sidecar[daemon,camera]'"),
    ],
)
def test_by_the_installer(mark: str, origin: dict[str, object] | None, command: str, tmp_path: Path) -> None:
    """Those of uv and pipx are told by the file that each leaves; a wheel or a checkout is named again."""
    if mark:
        (tmp_path / mark).touch()
    assert install_command_of(tmp_path, "/my env/python", json.dumps(origin) if origin else None) == command


def test_homebrews() -> None:
    """Its programs lie in its cellar."""
    prefix = Path("/opt/homebrew/Cellar/wilor-sidecar/0.1.0/libexec")
    assert install_command_of(prefix, "python", None) == "brew reinstall wilor-sidecar"
