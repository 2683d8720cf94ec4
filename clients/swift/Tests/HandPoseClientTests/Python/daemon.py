"""A daemon for the Swift tests: `daemon.py [KEYS_DIR]`.

It lives until standard input ends, and does what is written there.

With a folder it listens over TCP too, to a client whose keys it puts there in `client.toml`; it prints the port first.
It prints its run directory when it is ready, and a line after each command: `kill` (-9, and wait), `start` (and wait
until it answers), `stall` and `go on` (SIGSTOP, SIGCONT).
"""

import signal
import socket
import subprocess
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


def free_port() -> int:
    """A port that is free now, as is the next one."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port = int(first.getsockname()[1])
            try:
                with socket.create_server(("127.0.0.1", port + 1)):
                    return port
            except (OSError, OverflowError):
                continue


def over_tcp(keys_dir: str) -> list[str]:
    """Make a client's keys, tell the port, and return what `serve` has to be told."""
    command = [sys.executable, "-m", "wilor_sidecar", "keys", "add", "swift", "--keys-dir", f"{keys_dir}/keys"]
    subprocess.run([*command, "--out", f"{keys_dir}/client.toml"], check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    port = free_port()
    print(port, flush=True)
    return ["--tcp", f"127.0.0.1:{port}", "--keys-dir", f"{keys_dir}/keys"]


with DaemonProcess(arguments=over_tcp(*sys.argv[1:]) if sys.argv[1:] else ()) as running:
    running.wait_until("ready")
    print(running.run_dir, flush=True)
    for line in sys.stdin:
        obey(running, line.strip())
        print("done", flush=True)
