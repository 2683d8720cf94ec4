"""The WiLoR network in MLX, inference only.

    from wilor_sidecar.model import load_model
    outputs = load_model("folder")(crops_rgb)

A tuned BLAS has to be loaded before MLX is imported, hence the order of the lines below.
"""

from wilor_sidecar.blas import load_tuned_blas

load_tuned_blas()

from wilor_sidecar.model.load import load_model  # noqa: E402
from wilor_sidecar.model.wilor import Wilor  # noqa: E402

__all__ = ["Wilor", "load_model"]
