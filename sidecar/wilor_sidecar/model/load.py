"""From a folder of converted weights to a network that answers."""

from pathlib import Path

from wilor_sidecar.model.wilor import Wilor
from wilor_sidecar.weights.folder import load_folder
from wilor_sidecar.weights.store import EMBEDDED, EMBEDDED_FOLDER


def load_model(folder: str | Path, *, check_digest: bool = False) -> Wilor:
    """Load a converted model, check every tensor of it, and evaluate it.

    Args:
        folder: made by `wilor-sidecar convert`; or "embedded": what comes with the package.
        check_digest: see `load_folder`.

    Returns:
        The model. Call it from the thread that loaded it.

    Raises:
        WeightsError: a missing file, or a key, shape, dtype or number that does not belong; it says which.
    """
    return Wilor(*load_folder(EMBEDDED_FOLDER if folder == EMBEDDED else Path(folder), check_digest=check_digest))
