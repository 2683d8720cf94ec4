"""A network that has learnt nothing, for a daemon without weights: it computes everything and knows nothing.

It stands where the trained embedded model goes. Its weights come from a seed, its hand from a formula.
"""

from wilor_protocol.version import __version__
from wilor_sidecar.mlx import mx
from wilor_sidecar.weights.layout import Sizes, tensor_specs
from wilor_sidecar.weights.lazy import Weights
from wilor_sidecar.weights.model_config import FORMAT, FORMAT_VERSION, ModelConfig, SizesEntry, SourceEntry
from wilor_sidecar.weights.seeded import checkpoint, digest

_SEED = 7
_SIZES = Sizes(width=192, depth=6, heads=3)


def untrained_model() -> tuple[ModelConfig, Weights]:
    """The same as `load_folder`, from nothing."""
    tensors = checkpoint(_SEED, _SIZES.width, _SIZES.depth)
    sha256 = digest(tensors)
    specs = tensor_specs(_SIZES, "float32")
    config = ModelConfig(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        name="embedded (untrained)",
        trained=False,
        sizes=SizesEntry(_SIZES.width, _SIZES.depth, _SIZES.heads),
        dtype="float32",
        source=SourceEntry(f"seed {_SEED}", "seeded", sha256),
        mano=None,
        mean_params=None,
        weights_sha256=sha256,
        licence="MIT",
        converter_version=__version__,
    )
    return config, Weights({name: mx.array(tensors[name].astype(spec.dtype)) for name, spec in specs.items()})
