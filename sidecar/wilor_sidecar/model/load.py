"""From a folder of converted weights to a network that answers."""

from pathlib import Path

from wilor_sidecar.model.wilor import Wilor
from wilor_sidecar.weights.folder import load_folder


def load_model(folder: str | Path) -> Wilor:
    """Load a converted model, check every tensor of it, and evaluate it.

    Args:
        folder: made by `wilor-sidecar convert`; "embedded" for the model that comes with the package.

    Returns:
        The model. Call it from the thread that loaded it.

    Raises:
        WeightsError: a missing file, or a key, shape, dtype or number that does not belong; it says which.
    """
    config, weights = load_folder(Path(folder))
    return Wilor(config, weights)
