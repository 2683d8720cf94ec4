"""From a folder of converted weights to a network that answers."""

from pathlib import Path

from wilor_sidecar.model.wilor import Wilor
from wilor_sidecar.weights.folder import load_folder
from wilor_sidecar.weights.store import EMBEDDED
from wilor_sidecar.weights.untrained import untrained_model


def load_model(folder: str | Path) -> Wilor:
    """Load a converted model, check every tensor of it, and evaluate it.

    Args:
        folder: made by `wilor-sidecar convert`; or "embedded": what comes with the package.

    Returns:
        The model. Call it from the thread that loaded it.

    Raises:
        WeightsError: a missing file, or a key, shape, dtype or number that does not belong; it says which.
    """
    config, weights = untrained_model() if folder == EMBEDDED else load_folder(Path(folder))
    return Wilor(config, weights)
