"""The settings file: where it is, and what stands in it. The TOML is flat: one key a setting."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wilor_protocol.address import APPLICATION
from wilor_sidecar.config.errors import ConfigError

CONFIG_VARIABLE = "WILOR_SIDECAR_CONFIG"


def default_config_file(environment: Mapping[str, str], *, platform: str, home: Path) -> Path:
    """Where the settings file is when nobody says.

    Args:
        environment: of the process.
        platform: `sys.platform`, "darwin" or "linux".
        home: the user's home directory.

    Returns:
        `~/Library/Application Support/wilor-sidecar/config.toml` on a Mac, elsewhere
        `$XDG_CONFIG_HOME/wilor-sidecar/config.toml`, with `~/.config` for a variable that is not set.
    """
    if platform == "darwin":
        return home / "Library" / "Application Support" / APPLICATION / "config.toml"
    return Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / APPLICATION / "config.toml"


def home_of(environment: Mapping[str, str]) -> Path:
    """The home directory in such an environment."""
    return Path(environment.get("HOME") or Path.home())


def read_config_file(path: Path) -> dict[str, Any]:
    """Its keys and values.

    Raises:
        FileNotFoundError: there is none.
        ConfigError: it cannot be read, or is no TOML; names the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # ValueError: no TOML, no UTF-8, or a number of thousands of digits
        raise ConfigError(f"{path}: is not TOML: {error}") from error
