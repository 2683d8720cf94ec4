"""The world of the daemon that a supervisor starts: what of an environment counts for it.

Its settings stand in the settings file alone. A variable of ours that reached it, by `systemctl --user
set-environment`, `launchctl setenv` or a shell that became a session, would be a setting that nobody finds again.
"""

from collections.abc import Mapping

from wilor_sidecar.config.setting import VARIABLE_PREFIX

_PLACES = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")
"""Variables that decide where the daemon's files are."""


def unseen(shell: Mapping[str, str], world: Mapping[str, str]) -> tuple[str, ...]:
    """Variables of a shell that mean something here and not there, by name.

    Args:
        shell: the environment of a command.
        world: what counts for the daemon.
    """
    ours = {name for name in shell if name.startswith(VARIABLE_PREFIX)}
    return tuple(sorted(ours | {name for name in _PLACES if shell.get(name) and shell[name] != world.get(name)}))
