"""Which program the supervisor shall start."""

import shutil
from pathlib import Path

from wilor_protocol.address import APPLICATION
from wilor_sidecar.agent.errors import AgentError

_CACHE_MARK = "CACHEDIR.TAG"
"""See https://bford.info/cachedir. An environment may have one, too, which only says that backups need it not."""


def find_program(called: str, python: str, search_path: str | None = None) -> Path:
    """The installed `wilor-sidecar`, by a path that outlives an upgrade.

    uv, pipx and Homebrew put a link to the program where the shell looks for it; what the link leads to may change its
    name with each version.

    Args:
        called: the program that runs now, as it was called (`sys.argv[0]`).
        python: the interpreter (`sys.executable`); beside it lies our program, where another one was called.
        search_path: where the shell looks, as in PATH; None: as this process does.

    Returns:
        An absolute path: the link, if it leads to this very program, else the program.

    Raises:
        AgentError: there is no such program, or it will not be there for long.
    """
    own = Path(called) if Path(called).name == APPLICATION else Path(python).parent / APPLICATION
    if not own.is_file():
        raise AgentError(f"{own}: there is no such program; install the package (uv tool, pipx, pip) and use that one")
    _refuse_passing(own)
    found = shutil.which(APPLICATION, path=search_path)
    if found is not None and Path(found).resolve() == own.resolve():
        return Path(found).absolute()
    return own.absolute()


def _refuse_passing(program: Path) -> None:
    """`uvx` and `pipx run` make environments in their caches, and clear those one day."""
    environment = program.resolve().parent.parent
    for folder in environment.parents:
        if (folder / _CACHE_MARK).is_file():
            raise AgentError(
                f"{program} lies in a cache ({folder}) and may be gone tomorrow: install it for good, with `uv tool "
                "install` or `pipx install`, and run `agent install` from there"
            )
