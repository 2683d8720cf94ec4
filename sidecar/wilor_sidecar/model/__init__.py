"""The WiLoR network in MLX, inference only.

from wilor_sidecar.model import load_model
outputs = load_model("folder")(crops_rgb)
"""

from wilor_sidecar.model.load import load_model
from wilor_sidecar.model.wilor import Wilor

__all__ = ["Wilor", "load_model"]
