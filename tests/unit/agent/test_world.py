"""What of an environment counts for the agent's daemon."""

from wilor_sidecar.agent.world import unseen
from wilor_sidecar.config import without_settings

SHELL = {"HOME": "/home/ada", "PATH": "/bin", "WILOR_SIDECAR_RUN": "/r", "XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": ""}


def test_no_variable_of_ours_counts() -> None:
    """The run directory's neither, which is the protocol's; all others do."""
    variables = {**SHELL, "WILOR_SIDECAR_CONFIG": "x", "WILOR_SIDECAR_NO_SUCH": "y"}
    assert set(without_settings(variables)) == {"HOME", "PATH", "XDG_CONFIG_HOME", "XDG_DATA_HOME"}


def test_what_a_shell_says_in_vain() -> None:
    """Ours, and places that are elsewhere for the daemon; an empty variable says nothing anyway."""
    assert unseen(SHELL, without_settings(SHELL)) == ("WILOR_SIDECAR_RUN",)
    world = {"HOME": "/home/ada", "XDG_RUNTIME_DIR": "/run/user/7"}
    assert unseen(SHELL, world) == ("WILOR_SIDECAR_RUN", "XDG_CONFIG_HOME")
