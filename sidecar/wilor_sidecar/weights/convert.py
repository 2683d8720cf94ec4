"""Make a folder that the daemon can load out of the files that people have.

Every tensor is checked against the layout on the way, and a folder appears whole or not at all. Knows neither MLX nor
the network's arithmetic; executes nothing that a file says and fetches nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from wilor_protocol.version import __version__
from wilor_sidecar.weights.checks import check_shape, conform
from wilor_sidecar.weights.digest import sha256_of
from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.folder_writer import FolderWriter
from wilor_sidecar.weights.layout import GROUP_SIZE, BlocksDtype, TensorSpec, tensor_specs
from wilor_sidecar.weights.mano_file import read_mano, read_mean_params
from wilor_sidecar.weights.model_config import (
    FORMAT,
    FORMAT_VERSION,
    LICENCE_NOTE,
    FileEntry,
    ModelConfig,
    SizesEntry,
    SourceEntry,
)
from wilor_sidecar.weights.quantisation import PackedLayer, Tensor, quantise
from wilor_sidecar.weights.source import Source, read_source

_HARMLESS = frozenset(
    {
        "initialized",
        "mano.J_regressor_extra",
        "mano.betas",
        "mano.faces",
        "mano.global_orient",
        "mano.hand_components",
        "mano.hand_mean",
        "mano.hand_pose",
        "mano.pose_mean",
        "mano.transl",
        "mano.vertex_joint_selector.extra_joints_idxs",
    }
)
"""Left by training: buffers that upstream's forward pass never reads."""
_HARMLESS_PREFIXES = ("discriminator.", "smpl.", "mesh_renderer.", "renderer.")
_HARMLESS_SUFFIXES = (".num_batches_tracked",)
_MAX_NAMED = 8
"""How many wrong keys a message names before it counts the rest."""


def convert(
    source: Path,
    out: Path,
    *,
    mano: Path | None = None,
    mean_params: Path | None = None,
    heads: int | None = None,
    dtype: BlocksDtype = "float32",
    name: str | None = None,
    licence: str = LICENCE_NOTE,
    overwrite: bool = False,
) -> Path:
    """Convert a checkpoint into a folder with `model.safetensors` and `config.json`.

    Args:
        source: wilor_final.ckpt, a safetensors file with upstream's names, or one of wilor-mlx's.
        out: the folder to make; its parent exists.
        mano: MANO_RIGHT.pkl or mano.npz, instead of what the source holds.
        mean_params: mano_mean_params.npz, instead of what the source or `mano` holds.
        heads: attention heads; None guesses from the width.
        dtype: of the transformer blocks.
        name: what the daemon calls the model; None takes the source's name without its ending.
        licence: what the folder says of its weights.
        overwrite: replace `out` if it is a converted folder. Anything else is never replaced.

    Returns:
        `out`.

    Raises:
        WeightsError: a file cannot be used, or `out` cannot be written; nothing is left behind.
    """
    writer = FolderWriter(out, overwrite=overwrite)
    found = read_source(source, heads)
    tensors = _collect(found, mano, mean_params)
    whole = dict(sorted(tensor_specs(found.sizes, "float32").items()))
    stored = tensor_specs(found.sizes, dtype)
    _check_names(tensors, whole, source.name)
    with writer:
        specs = {part: stored[part] for name in whole for part in _part_names(name, stored)}
        digest = writer.write_weights(specs, _conformed(tensors, whole, stored, source.name))
        config = ModelConfig(
            format=FORMAT,
            format_version=FORMAT_VERSION,
            name=source.stem if name is None else name,
            trained=True,
            sizes=SizesEntry(found.sizes.width, found.sizes.depth, found.sizes.heads),
            dtype=dtype,
            source=SourceEntry(source.name, found.kind, sha256_of(source)),
            mano=_file_entry(mano),
            mean_params=_file_entry(mean_params),
            weights_sha256=digest,
            licence=licence,
            converter_version=__version__,
        )
        writer.finish(config)
    return out


def _collect(source: Source, mano: Path | None, mean_params: Path | None) -> dict[str, Tensor]:
    """The source's tensors, with what the user brought in place of what the source holds."""
    tensors: dict[str, Tensor] = {name: each for name, each in source.tensors.items() if not _is_harmless(name)}
    if mano is not None:
        brought = read_mano(mano)
        # The cache's mean hand is a copy of the network's: it fills a gap, and never overrules the source.
        tensors = {**{name: array for name, array in brought.items() if name.startswith("backbone.")}, **tensors}
        tensors |= {name: array for name, array in brought.items() if name.startswith("mano.")}
    if mean_params is not None:
        tensors |= read_mean_params(mean_params)
    return tensors


def _is_harmless(name: str) -> bool:
    return name in _HARMLESS or name.startswith(_HARMLESS_PREFIXES) or name.endswith(_HARMLESS_SUFFIXES)


def _check_names(tensors: Mapping[str, object], specs: Mapping[str, TensorSpec], file: str) -> None:
    if missing := sorted(specs.keys() - tensors.keys()):
        raise WeightsError(f"{file}: missing {_listed(missing)}{_remedy(missing)}")
    if unexpected := sorted(tensors.keys() - specs.keys()):
        raise WeightsError(f"{file}: unexpected {_listed(unexpected)}")


def _remedy(missing: list[str]) -> str:
    """Which options would bring what is missing, if that is all that is."""
    brought_by = {
        "MANO_RIGHT.pkl or mano.npz with --mano": "mano.",
        "mano_mean_params.npz with --mean-params": "backbone.init_",
    }
    if not all(name.startswith(tuple(brought_by.values())) for name in missing):
        return ""
    needed = [option for option, prefix in brought_by.items() if any(name.startswith(prefix) for name in missing)]
    return f": give {' and '.join(needed)}"


def _part_names(name: str, stored: Mapping[str, TensorSpec]) -> tuple[str, ...]:
    """What is stored of a tensor: itself, or the three arrays of a packed layer."""
    if stored[name].dtype != "uint32":
        return (name,)
    layer = name.removesuffix(".weight")
    return name, f"{layer}.scales", f"{layer}.biases"


def _conformed(
    tensors: Mapping[str, Tensor],
    whole: Mapping[str, TensorSpec],
    stored: Mapping[str, TensorSpec],
    file: str,
) -> Iterator[tuple[str, Array]]:
    """One tensor at a time, so that only one is in memory in its new dtype."""
    for name, spec in whole.items():
        parts = _part_names(name, stored)
        try:
            if len(parts) == 1:
                yield name, conform(name, _unpacked(tensors[name]), stored[name])
                continue
            layer = _packed(name, tensors[name], spec, bits=32 * stored[name].shape[1] // spec.shape[1])
            for part, array in zip(parts, (layer.weight, layer.scales, layer.biases), strict=True):
                yield part, conform(part, array, stored[part])
        except WeightsError as error:
            raise WeightsError(f"{file}: {error}") from error


def _unpacked(tensor: Tensor) -> Array:
    return tensor.unpacked() if isinstance(tensor, PackedLayer) else tensor


def _packed(name: str, tensor: Tensor, spec: TensorSpec, bits: int) -> PackedLayer:
    """A layer as it is stored; one that comes packed the same way is not rounded a second time."""
    if isinstance(tensor, PackedLayer) and (tensor.bits, tensor.group_size) == (bits, GROUP_SIZE):
        check_shape(name, tensor.shape, spec.shape)
        return tensor
    return quantise(conform(name, _unpacked(tensor), spec), bits)


def _listed(names: Iterable[str]) -> str:
    all_names = list(names)
    more = f" and {len(all_names) - _MAX_NAMED} more" if len(all_names) > _MAX_NAMED else ""
    return ", ".join(all_names[:_MAX_NAMED]) + more


def _file_entry(path: Path | None) -> FileEntry | None:
    return None if path is None else FileEntry(path.name, sha256_of(path))
