"""What a model is called that `setup` makes: after its origin and dtype."""

from typing import get_args

from wilor_sidecar.weights.layout import DTYPES, BlocksDtype
from wilor_sidecar.weights.provenance import Origin


def model_name(origin: Origin, dtype: BlocksDtype) -> str:
    """Its name in the store."""
    return f"wilor-{dtype}" if origin == "upstream" else f"{origin}-{dtype}"


MADE_BY_SETUP: dict[str, tuple[Origin, BlocksDtype]] = {
    model_name(origin, dtype): (origin, dtype) for origin in get_args(Origin) for dtype in DTYPES
}
"""Origin and dtype behind each such name."""
