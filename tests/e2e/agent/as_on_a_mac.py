"""`python as_on_a_mac.py ...` is `wilor-sidecar ...` with a Mac's rules for paths and supervisor, on any system.

Only the command itself takes itself for one on a Mac; the daemon that it has started is this system's. With
AS_OF_VERSION the command is also of that version, as after an upgrade. It gives up on a domain that refuses the service
after 1 s.
"""

import os
import sys

from wilor_sidecar.agent import launchd
from wilor_sidecar.cli import agent, serve  # noqa: F401 - see below
from wilor_sidecar.entry import run

if __name__ == "__main__":
    sys.platform = "darwin"  # only now: libraries look at it when they are imported, and must find the real one
    agent.__version__ = os.environ.get("AS_OF_VERSION", agent.__version__)  # type: ignore[attr-defined]
    launchd._REFUSED_AFTER_S = 1.0
    run()
