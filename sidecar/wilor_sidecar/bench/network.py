"""The network alone, in this process: pixels in, numpy arrays out."""

from collections.abc import Iterator, Sequence

from wilor_sidecar.bench.samples import Samples, timed
from wilor_sidecar.estimator import BATCH_SIZES
from wilor_sidecar.model import Wilor
from wilor_sidecar.weights.seeded import crops

_CROPS_SEED = 1


def time_network(model: Wilor, runs: int, batches: Sequence[int] = BATCH_SIZES) -> Iterator[Samples]:
    """Time each batch size, after two calls that nobody counts."""
    pixels = crops(_CROPS_SEED, max(batches))
    for batch in batches:
        for _ in range(2):
            model(pixels[:batch])
        times = tuple(timed(lambda size=batch: model(pixels[:size])) for _ in range(runs))  # type: ignore[misc]
        yield Samples(f"network, batch {batch}", times)
