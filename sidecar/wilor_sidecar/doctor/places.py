"""Files and folders: settings, run directory, models with their hashes, licences."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from wilor_protocol.address import events_address, requests_address
from wilor_protocol.private_directory import NotPrivateError, make_private
from wilor_sidecar.config import ConfigError, Effective
from wilor_sidecar.doctor.findings import Finding, ok, problem, warning
from wilor_sidecar.setup.errors import SetupError
from wilor_sidecar.setup.licences import LICENCES, RECORD_FILE, accepted
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.model_config import WEIGHTS_FILE
from wilor_sidecar.weights.safetensors_file import read_shapes
from wilor_sidecar.weights.store import EMBEDDED, ModelStore, StoredModel


def check_settings(effective: Effective) -> Iterator[Finding]:
    """Which model the settings lead to, and whether it is there."""
    file = effective.file if effective.file.is_file() else f"no file at {effective.file}"
    yield ok("settings", f"{file}; `wilor-sidecar config` prints them all")
    model, origin = effective.config.model, effective.origins["model"]
    try:
        effective.config.located_model()
    except ConfigError as error:
        yield problem("model", str(error), "wilor-sidecar models use NAME")
        return
    if model == EMBEDDED:
        yield ok("model", f"the embedded one is served ({origin}); `wilor-sidecar setup` gets WiLoR's own weights")
    else:
        yield ok("model", f"{model} is served ({origin})")


def check_run_directory(directory: Path) -> Iterator[Finding]:
    """Whether it is ours alone, and what stands in it."""
    if not directory.exists():
        yield ok("run directory", f"{directory} is not there yet; serve makes it")
        return
    try:
        make_private(directory)
    except NotPrivateError as error:
        yield problem("run directory", str(error), f"chmod 700 {directory}, or choose another with run_dir")
        return
    yield ok("run directory", f"{directory} is this user's alone")
    for address in (requests_address(directory), events_address(directory)):
        path = Path(address.removeprefix("ipc://"))
        if path.exists() and not path.is_socket():
            yield problem("sockets", f"{path} is no socket", f"rm {path}")


def check_models(store: ModelStore) -> Iterator[Finding]:
    """Each model's files, against the hash that was written down when they were made."""
    for model in store.models():
        yield _model(model)


def _model(model: StoredModel) -> Finding:
    check, again = f"model {model.name}", f"wilor-sidecar models remove {model.name} && wilor-sidecar setup"
    if isinstance(model.config, str):
        return problem(check, model.config, again)
    path = model.folder / WEIGHTS_FILE
    try:
        read_shapes(path)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (WeightsError, OSError) as error:
        return problem(check, str(error), again)
    if digest != model.config.weights_sha256:
        return problem(check, f"{path} is not what was converted: its SHA-256 is another", again)
    text = f"{model.config.dtype}, {model.size_bytes / 1e6:.0f} MB, as it was converted"
    if model.provenance is None:
        return warning(check, f"{text}; nobody wrote down where it came from")
    source = model.provenance.fetched[0]
    pinned = "pinned" if source.pinned else "not pinned"
    return ok(check, f"{text}; from {source.repository} at {source.revision[:12]} ({pinned})")


def check_licences(store: ModelStore) -> Iterator[Finding]:
    """Whether the licences of what is kept were accepted."""
    try:
        known = {each.licence for each in accepted(store.root)}
    except SetupError as error:
        yield problem("licences", str(error), f"rm {store.root / RECORD_FILE}")
        return
    for model in store.models():
        if model.provenance is None:
            continue
        wanting = [licence for licence in LICENCES[model.provenance.origin] if licence.key not in known]
        if wanting:
            titles = ", ".join(licence.title for licence in wanting)
            origin = model.provenance.origin
            yield warning("licences", f"{model.name}: no record of {titles}", f"wilor-sidecar setup --from {origin}")
    if known:
        yield ok("licences", f"accepted: {', '.join(sorted(known))}")
    else:
        yield ok("licences", "none accepted, none needed for the embedded model")
