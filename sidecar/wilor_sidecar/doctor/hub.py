"""Whether `setup` could fetch weights from here now. It asks for a file's size, and fetches nothing."""

import os
from collections.abc import Iterator

from wilor_sidecar.doctor.findings import Finding, ok, warning
from wilor_sidecar.setup.errors import SetupError
from wilor_sidecar.setup.hub import Hub, settle_hub
from wilor_sidecar.setup.manifest import repository_of


def check_hub(*, offline: bool) -> Iterator[Finding]:
    """Ask the hub for the size of upstream's checkpoint."""
    settle_hub(offline=offline)
    if offline or os.environ.get("HF_HUB_OFFLINE"):
        yield ok("hub", "not asked: offline")
        return
    repository = repository_of("upstream", None)
    hub = Hub(repository.repository, repository.revision, lambda _: None)
    try:
        size, missing = hub.sizes(repository.network)
    except SetupError as error:
        yield warning("hub", str(error), "needed for `wilor-sidecar setup` only")
        return
    where = os.environ.get("HF_ENDPOINT", "huggingface.co")
    state = "in the cache" if not missing else f"{missing / 1e9:.2f} of {size / 1e9:.2f} GB still to fetch"
    yield ok("hub", f"{where}: {repository.repository} is reachable, {state}")
