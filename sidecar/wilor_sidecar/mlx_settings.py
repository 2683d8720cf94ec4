"""What must be in the environment before MLX and its BLAS are loaded; they read it once."""

import hashlib
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from wilor_protocol.address import APPLICATION
from wilor_protocol.private_directory import NotPrivateError, make_private
from wilor_sidecar.config.file import home_of

log = logging.getLogger(__name__)

_SHELL_CHARACTERS = set('"$`\\')
"""MLX hands the path to a shell, between quotes, where these mean something: the compiler would be given another."""


def cache_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Where this program keeps what it can make again, in an environment that need not be this process's."""
    home = home_of(environment)
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / APPLICATION
    return Path(environment.get("XDG_CACHE_HOME") or home / ".cache") / APPLICATION


def kernels_directory(cache: Path | None = None, *, of_agent: bool = False) -> Path:
    """Where MLX keeps the kernels that it compiles.

    Args:
        cache: a cache directory; None: this user's.
        of_agent: the login agent's daemon has them to itself, so that they can go when the agent goes.
    """
    directory = (cache or cache_directory()) / ("agent-kernels" if of_agent else "kernels")
    if not set(str(directory)) & _SHELL_CHARACTERS:
        return directory
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    return Path(f"/tmp/{APPLICATION}-{os.getuid()}-{digest}")  # noqa: S108 - made private and checked before use


def settle_mlx(*, of_agent: bool = False) -> None:
    """Settle how exact products are, that idle threads sleep, and where compiled kernels are kept. For a process of
    our own only.

    MLX's CPU backend compiles kernels with the system's compiler (4 s for this network) and loads what it finds under
    the temporary directory without asking who put it there. A private directory of ours makes that safe, and keeps
    the kernels for the next start.

    Args:
        of_agent: see `kernels_directory`.
    """
    # On CUDA and from M5 on, MLX multiplies float32 numbers with ten bits of fraction, unless told: 0.1 to 0.3 mm here.
    os.environ.setdefault("MLX_ENABLE_TF32", "0")
    # OpenMP's threads otherwise spin for a while after each product, on the cores that the sockets need.
    os.environ.setdefault("KMP_BLOCKTIME", "1")
    kernels = kernels_directory(of_agent=of_agent)
    try:
        make_private(kernels)
    except NotPrivateError as error:
        log.warning("compiled kernels are not kept: %s", error)
    else:
        os.environ["TMPDIR"] = str(kernels)
