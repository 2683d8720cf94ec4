"""The daemon's settings: one table, and four places that a value can come from.

A flag wins over the environment, the environment over the settings file, the file over the default. In all of them a
setting has the same name: `--log-level`, `WILOR_SIDECAR_LOG_LEVEL`, `log_level`.
"""

from wilor_sidecar.config.errors import ConfigError, NotThereYetError
from wilor_sidecar.config.sources import CHOSEN, Effective, add_flags, defaults_in, resolve, without_settings
from wilor_sidecar.config.table import SETTINGS, Config

__all__ = [
    "CHOSEN",
    "SETTINGS",
    "Config",
    "ConfigError",
    "Effective",
    "NotThereYetError",
    "add_flags",
    "defaults_in",
    "resolve",
    "without_settings",
]
