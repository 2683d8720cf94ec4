"""What the agent needs of the disk, and whether it will get it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import wilor_sidecar
from wilor_sidecar.agent.guarded_places import Obstacle, obstacles
from wilor_sidecar.agent.own_settings import AgentSettings

_INSTALL_ELSEWHERE = (
    "install the package from its wheel with `uv tool install` or `pipx install` (see README), which copy it "
    "elsewhere, and run `agent install` from there"
)


def agent_obstacles(program: Path | None, settings: AgentSettings, *, platform: str, home: Path) -> Iterator[Obstacle]:
    """What of all this lies where launchd may not be let in; at most one for the program, which moves as a whole.

    Args:
        program: that the supervisor starts; None: that cannot be told.
        settings: by which it goes.
        platform: `sys.platform`.
        home: the user's home directory.
    """
    if program is not None:
        found = list(obstacles(_parts(program), _INSTALL_ELSEWHERE, platform=platform, home=home))
        yield from sorted(found, key=lambda each: not each.is_certain)[:1]
    remedy = f"move it, and say in {settings.file} where it is"
    yield from obstacles(settings.places, remedy, platform=platform, home=home)
    yield from obstacles({"the settings file": settings.file}, "move it", platform=platform, home=home)


def _parts(program: Path) -> dict[str, Path]:
    """Without any of which the program does not even begin."""
    folder = program.resolve().parent
    parts = {"the program": program, "its Python": folder / "python"}
    if folder == Path(sys.executable).parent.resolve():  # an editable installation has its code elsewhere
        parts["its code"] = Path(wilor_sidecar.__file__).parent
    return parts
