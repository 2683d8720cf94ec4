"""Whether `setup` could fetch weights from here now. It asks for a file's size, and fetches nothing."""

from collections.abc import Iterator
from urllib.parse import urlparse

from wilor_sidecar.doctor.findings import Finding, not_tried, ok, warning
from wilor_sidecar.setup.errors import SetupError
from wilor_sidecar.setup.hub import Hub, is_offline, settle_hub
from wilor_sidecar.setup.manifest import repository_of


def check_hub(*, offline: bool) -> Iterator[Finding]:
    """Ask the hub for the size of upstream's checkpoint."""
    settle_hub(offline=offline)
    repository = repository_of("upstream", None)
    hub = Hub(repository.repository, repository.revision, lambda _: None)
    is_cached = hub.cached(repository.network) is not None
    here = "; upstream's checkpoint is in the cache" if is_cached else ""
    if is_offline():
        yield not_tried("hub", f"offline{here}")
        return
    try:
        announced = hub.ask(repository.network)
    except SetupError as error:
        mend = "wilor-sidecar setup --offline" if is_cached else "needed for `wilor-sidecar setup` only"
        yield warning("hub", f"{error}{here}", mend)
        return
    missing = f"; {announced.missing / 1e9:.2f} of {announced.size / 1e9:.2f} GB still to fetch"
    where = urlparse(announced.url).hostname
    yield ok("hub", f"{where}: {repository.repository} is reachable{here or missing}")
