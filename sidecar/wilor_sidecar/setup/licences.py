"""The licences of what is fetched: shown, asked about once, and written down."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from wilor_sidecar.setup.errors import SetupError
from wilor_sidecar.weights.durable_files import replace_text
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.provenance import Origin

RECORD_FILE = ".licences.json"
"""In the folder of models."""


@dataclass(frozen=True)
class Licence:
    """What somebody asks of whoever uses their work.

    Attributes:
        key: by which its acceptance is written down; a new text gets a new one.
        title: of work and licence.
        says: the essence.
        url: of the text.
    """

    key: str
    title: str
    says: str
    url: str


_WILOR = Licence(
    "wilor-cc-by-nc-nd-4.0",
    "WiLoR's weights: Creative Commons BY-NC-ND 4.0",
    "Name the authors; no commercial use; what you derive from them, converted files too, must not be passed on.",
    "https://creativecommons.org/licenses/by-nc-nd/4.0/legalcode",
)
_MANO = Licence(
    "mano",
    "the MANO hand model: the MANO licence of the Max Planck Society",
    "Non-commercial research, education and art only; not to be passed on. Register at https://mano.is.tue.mpg.de.",
    "https://mano.is.tue.mpg.de/license.html",
)
_WILOR_MLX = Licence(
    "wilor-mlx-mit",
    "wilor-mlx's files: published as MIT",
    "They are WiLoR's weights in another format, so WiLoR's licence holds for them whatever their label says.",
    "https://huggingface.co/BasinShapers/wilor-mlx",
)
LICENCES: dict[Origin, tuple[Licence, ...]] = {"upstream": (_WILOR, _MANO), "wilor-mlx": (_WILOR, _MANO, _WILOR_MLX)}


class Acceptance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That a licence was accepted, when and how."""

    licence: str
    accepted_at: Annotated[str, msgspec.Meta(max_length=40)]
    how: Literal["asked", "flag"]


def accepted(models_dir: Path) -> list[Acceptance]:
    """What this user has accepted so far.

    Raises:
        SetupError: the record cannot be read.
    """
    path = models_dir / RECORD_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Acceptance])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SetupError(f"{path}: cannot be read ({error}); delete it to be asked again") from error


def settle(
    origin: Origin, models_dir: Path, *, by_flag: bool, say: Callable[[str], None], ask: Callable[[str], str] | None
) -> tuple[Licence, ...]:
    """See to it that the licences of what comes from there are accepted.

    Args:
        origin: where the weights come from.
        models_dir: where the record is.
        by_flag: they are, says the command line.
        say: shows a line.
        ask: shows a question and returns the answer; None: nobody is there to be asked.

    Returns:
        The licences.

    Raises:
        SetupError: they are not accepted.
    """
    licences = LICENCES[origin]
    record = accepted(models_dir)
    known = {each.licence for each in record}
    wanting = [licence for licence in licences if licence.key not in known]
    if not wanting:
        return licences
    say("These are not this program's to give. Their owners ask:")
    for licence in wanting:
        for line in (f"- {licence.title}", f"  {licence.says}", f"  {licence.url}"):
            say(line)
    if not by_flag and not _agreed(say, ask):
        raise SetupError("the licences were not accepted; nothing was fetched (--accept-licences accepts them)")
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    record += [Acceptance(licence.key, now, "flag" if by_flag else "asked") for licence in wanting]
    try:
        replace_text(models_dir / RECORD_FILE, msgspec.json.format(msgspec.json.encode(record)).decode() + "\n")
    except WeightsError as error:
        raise SetupError(str(error)) from error
    return licences


def _agreed(say: Callable[[str], None], ask: Callable[[str], str] | None) -> bool:
    try:
        said = ask("Do you accept these licences? [y/N] ") if ask else ""
    except EOFError:  # Ctrl-D, after which the cursor still stands behind the question
        say("")
        return False
    return said.strip().lower() in ("y", "yes")
