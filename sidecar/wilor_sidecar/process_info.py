"""What there is to say about this process and what it runs on."""

import platform
import resource
from importlib.metadata import version

import psutil
import zmq

from wilor_protocol.replies import Process
from wilor_sidecar.process_memory import footprint_bytes

_this = psutil.Process()


def process_now() -> Process:
    """What the process uses at this moment."""
    with _this.oneshot():
        times = _this.cpu_times()
        return Process(
            resident=footprint_bytes(),
            cpu_s=round(times.user + times.system, 3),
            threads=_this.num_threads(),
            open_files=_this.num_fds(),
            open_files_limit=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        )


def versions() -> dict[str, str]:
    """Of what serves, by name."""
    libraries = {name: version(name) for name in ("mlx", "numpy", "pyzmq", "msgspec")}
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return {"python": platform.python_version(), **libraries, "libzmq": zmq.zmq_version(), "system": system}
