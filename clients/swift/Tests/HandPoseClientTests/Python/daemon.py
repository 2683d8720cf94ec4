"""A daemon for the Swift tests: `daemon.py`. It lives until standard input ends, and does what is written there.

It prints its run directory when it is ready, and a line after each command: `kill` (-9, and wait), `start` (and wait
until it answers), `stall` and `go on` (SIGSTOP, SIGCONT).
"""

import signal
import sys

from wilor_sidecar.daemon_process import DaemonProcess


def obey(daemon: DaemonProcess, command: str) -> None:
    """Do one command."""
    match command:
        case "kill":
            daemon.process.kill()
            daemon.process.wait()
        case "start":
            daemon.start()
            daemon.wait_until("starting", "loading", "warming", "ready")
        case "stall":
            daemon.process.send_signal(signal.SIGSTOP)
        case "go on":
            daemon.process.send_signal(signal.SIGCONT)
        case _:
            raise ValueError(command)


with DaemonProcess() as running:
    running.wait_until("ready")
    print(running.run_dir, flush=True)
    for line in sys.stdin:
        obey(running, line.strip())
        print("done", flush=True)
