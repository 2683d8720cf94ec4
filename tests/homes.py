"""A home for the tests: whatever they start finds there what else it would find in the home of who runs them.

Settings, models, sockets, logs and agents of a person who uses this program on the same machine are then out of reach.
"""

import os
import shutil
import tempfile
from pathlib import Path

_NOT_OURS = ("WILOR_SIDECAR_", "DBUS_SESSION_BUS_ADDRESS", "HF_")
"""What would lead back: settings, the systemd manager of the real user, the hub's files."""


class TestHome:
    """The directories that a program looks for, in a fresh folder with a short path, as sockets need it.

    Attributes:
        variables: that lead to them, and make numbers exact.
    """

    __test__ = False

    def __init__(self, cache: Path) -> None:
        """Make them.

        Args:
            cache: outlives the run: it holds what can be made again, slowly, such as MLX's compiled kernels.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="wh-", dir="/tmp")).resolve()
        run = self._folder / "run"
        run.mkdir(mode=0o700)
        self.variables = {
            "MLX_ENABLE_TF32": "0",  # as `settle_mlx` has it in our own processes
            "HOME": str(self._folder),
            "XDG_CONFIG_HOME": str(self._folder / ".config"),
            "XDG_DATA_HOME": str(self._folder / ".local" / "share"),
            "XDG_STATE_HOME": str(self._folder / ".local" / "state"),
            "XDG_CACHE_HOME": str(cache),
            "XDG_RUNTIME_DIR": str(run),
        }

    def move_in(self) -> None:
        """From here on this process, and each that it starts, lives there."""
        for name in [name for name in os.environ if name.startswith(_NOT_OURS)]:
            del os.environ[name]
        os.environ.update(self.variables)

    def is_lived_in(self) -> bool:
        """Whether the environment leads there still."""
        return self.variables.items() <= os.environ.items() and Path.home() == self._folder

    def remove(self) -> None:
        """All but the cache."""
        shutil.rmtree(self._folder, ignore_errors=True)
