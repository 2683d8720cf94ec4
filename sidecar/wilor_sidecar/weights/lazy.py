"""Weights that MLX reads from disk as they are taken, checked on the way, and that nobody holds twice.

`mlx.core.load` gives arrays whose data are still in the file. Whoever builds a part of the network takes that part's
tensors; they are read, looked at, and forgotten here.
"""

from collections.abc import Iterator, Mapping
from itertools import islice

import numpy as np

from wilor_sidecar.mlx import mx
from wilor_sidecar.weights.checks import check_indices
from wilor_sidecar.weights.errors import WeightsError

EVALUATED_AT_ONCE = 64
"""Arrays per evaluation: all of a network in one graph would exhaust Metal's shared events."""


class Weights:
    """Named tensors that can be taken once."""

    def __init__(self, tensors: Mapping[str, mx.array], origin: str = "") -> None:
        """Hold tensors.

        Args:
            tensors: evaluated or not. Not to be held by the caller as well.
            origin: what error messages begin with.
        """
        self._tensors = dict(tensors)
        self._origin = origin

    def __len__(self) -> int:
        """How many have not been taken yet."""
        return len(self._tensors)

    def take(self, prefix: str = "") -> dict[str, mx.array]:
        """Read the tensors whose names begin so, and let go of them.

        Returns:
            Evaluated arrays under their whole names.

        Raises:
            WeightsError: the file has changed since it was opened, or a number is NaN, infinite or an index that points
                nowhere; names the tensor.
        """
        taken = {name: self._tensors.pop(name) for name in list(self._tensors) if name.startswith(prefix)}
        try:
            for group in _groups(list(taken)):
                _evaluate({name: taken[name] for name in group})
        except WeightsError as error:
            raise WeightsError(f"{self._origin}{error}") from error
        return taken


def _groups(names: list[str]) -> Iterator[list[str]]:
    remaining = iter(names)
    while group := list(islice(remaining, EVALUATED_AT_ONCE)):
        yield group


def _evaluate(tensors: Mapping[str, mx.array]) -> None:
    """Bring some tensors into memory; a file cut short after its header was read shows only here."""
    finite = {
        name: mx.isfinite(array).all() for name, array in tensors.items() if mx.issubdtype(array.dtype, mx.floating)
    }
    try:
        mx.eval(*tensors.values(), *finite.values())
    except RuntimeError as error:
        raise WeightsError(f"MLX cannot read {next(iter(tensors))} or one near it ({error})") from error
    for name, is_finite in finite.items():
        if not is_finite.item():
            raise WeightsError(f"{name} holds NaN or infinity")
    for name, array in tensors.items():
        if array.dtype == mx.int32:
            check_indices(name, np.array(array))
