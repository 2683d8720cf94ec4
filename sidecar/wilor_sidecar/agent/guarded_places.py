"""Places that macOS may keep from what launchd starts, though a terminal may read them. Asks the disk for links only.

By its rules for privacy (TCC, since macOS 10.15) a program needs the user's consent to read the folders of documents. A
terminal has it for all that runs there. What launchd starts has not, and nobody may be there to be asked: a read
fails with EPERM, "Operation not permitted". With a Python there that is before a line of ours has run.
"""

import os
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_GUARDED = ("Desktop", "Documents", "Downloads", "Library/Mobile Documents", "Library/CloudStorage")
"""In the home directory. The last two are iCloud Drive and the drives of other clouds."""
_VOLUMES = Path("/Volumes")


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something that the agent needs, and may not get.

    Attributes:
        what: it is, for people.
        path: of it, as far as links have been followed.
        folder: in which it lies: a guarded one, or a volume.
        is_certain: macOS guards the folder. Otherwise it may work: on another volume, once that is there.
        remedy: what a person does about it.
    """

    what: str
    path: Path
    folder: Path
    is_certain: bool
    remedy: str

    def __str__(self) -> str:
        if self.is_certain:
            return f"{self.what} lies in {self.folder}, where macOS lets a terminal read, and not launchd: {self.path}"
        return f"{self.what} lies on a volume that may not be there at login, or be kept from launchd: {self.path}"


def obstacles(places: Mapping[str, Path], remedy: str, *, platform: str, home: Path) -> Iterator[Obstacle]:
    """Which of these places the agent may not be able to read.

    Args:
        places: what it needs; by what that is, for people.
        remedy: what a person does about any of them.
        platform: `sys.platform`; only "darwin" has such places.
        home: the user's home directory.
    """
    if platform != "darwin":
        return
    for what, path in places.items():
        for each, folder, is_certain in _hindering(path, home):
            yield Obstacle(what, each, folder, is_certain, remedy)
            break


def _hindering(path: Path, home: Path) -> Iterator[tuple[Path, Path, bool]]:
    """The path, the folder and whether it is certain, the worst first."""
    resolved = path.resolve()
    as_written = Path(os.path.abspath(path))  # noqa: PTH100 - a link in a guarded folder cannot be read, either
    for each in (as_written, resolved):
        for folder in (place / name for place in (home, home.resolve()) for name in _GUARDED):
            if _lies_in(each, folder):
                yield each, folder, True
    if _lies_in(resolved, _VOLUMES):  # only so: the system's own disk is there, too, as a link to /
        yield resolved, Path(*resolved.parts[:3]), False


def _lies_in(path: Path, folder: Path) -> bool:
    """As a Mac's disks compare names: by default in any case, and in any composition of letters and accents."""
    length = len(folder.parts)
    return [_key(part) for part in path.parts[:length]] == [_key(part) for part in folder.parts]


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())
