"""The daemon that is asked to stop at the worst moment: by itself, as it enters a function that the test names.

Run as a module it is the program, with the network of `faulty_daemon`.
"""

import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.faulty_daemon import FaultyNetwork
from wilor_sidecar.cli import serve
from wilor_sidecar.cli.main import main
from wilor_sidecar.daemon_process import DaemonProcess
from wilor_sidecar.desk import Desk
from wilor_sidecar.service import Service

_ROOT = Path(__file__).parents[2]
MOMENTS = {
    "it has failed": (Desk, "fail"),
    "it says goodbye": (Service, "say_goodbye"),
    "it ends": (Service, "stop"),
}


def stopped_daemon(moment: str, run_dir: Path) -> DaemonProcess:
    """The daemon, not yet started.

    Args:
        moment: one of `MOMENTS`.
        run_dir: see `DaemonProcess`.
    """
    environment = {
        "PYTHONPATH": str(_ROOT),
        "STOP_WHEN": moment,
        "FAULTY_DELAY_MS": "0",
        "FAULTY_LOAD": "",
        "FAULTY_DEVICE": "cpu",
    }
    return DaemonProcess(environment=environment, run_dir=run_dir, module="tests.e2e.stopped_daemon")


def _asked_to_stop_first(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def entered(*arguments: Any) -> Any:
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:  # once
            os.kill(os.getpid(), signal.SIGTERM)
        return function(*arguments)

    return entered


if __name__ == "__main__":
    kind, name = MOMENTS[os.environ["STOP_WHEN"]]
    setattr(kind, name, _asked_to_stop_first(getattr(kind, name)))
    serve._load = lambda model: FaultyNetwork()
    sys.exit(main())
