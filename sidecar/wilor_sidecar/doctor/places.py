"""Files and folders: settings, run directory, models with their hashes, licences."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from wilor_protocol.address import events_address, requests_address
from wilor_protocol.private_directory import NotPrivateError, make_private
from wilor_sidecar.config import CHOSEN, ConfigError, Effective
from wilor_sidecar.doctor.findings import Finding, ok, problem, warning
from wilor_sidecar.run_directory import lost_socket
from wilor_sidecar.setup.again import command_to_make_again
from wilor_sidecar.setup.errors import SetupError
from wilor_sidecar.setup.licences import LICENCES, RECORD_FILE, accepted
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.folder_check import check_folder
from wilor_sidecar.weights.model_config import WEIGHTS_FILE
from wilor_sidecar.weights.provenance import read_provenance
from wilor_sidecar.weights.store import EMBEDDED, EMBEDDED_FOLDER, ModelStore, folder_of


def check_settings(effective: Effective) -> Iterator[Finding]:
    """Which model the settings lead to, and whether it is there."""
    file = effective.file if effective.file.is_file() else f"no file at {effective.file}"
    yield ok("settings", f"{file}; `wilor-sidecar config` prints them all")
    model, origin = effective.config.model, effective.origins["model"]
    try:
        effective.located_model()
    except ConfigError as error:
        yield problem("model", str(error), _another_model(effective))
        return
    if model == EMBEDDED:
        yield ok("model", f"the embedded one is served ({origin}); `wilor-sidecar setup` gets WiLoR's own weights")
    else:
        yield ok("model", f"{model} is served ({origin})")


def _another_model(effective: Effective) -> str:
    there = [EMBEDDED, *(model.name for model in ModelStore(effective.config.models_dir).models())]
    origin = effective.origins["model"]
    if origin == CHOSEN:
        others = f" (there are also {', '.join(there[1:])})" if there[1:] else ""
        return f"wilor-sidecar models use {EMBEDDED}{others}"
    return f"set model to another in {origin}; there are {', '.join(there)}"


def check_run_directory(directory: Path) -> Iterator[Finding]:
    """Whether it is ours alone, and what stands in it."""
    if not directory.exists():
        yield ok("run directory", f"{directory} is not there yet; serve makes it")
        return
    try:
        make_private(directory)
    except NotPrivateError as error:
        yield problem("run directory", str(error), f"chmod 700 {_quoted(directory)}, or choose another with run_dir")
        return
    yield ok("run directory", f"{directory} is this user's alone")
    for address in (requests_address(directory), events_address(directory)):
        path = Path(address.removeprefix("ipc://"))
        if path.exists() and not path.is_socket():
            yield problem("sockets", f"{path} is no socket", f"rm {_quoted(path)}")
    if lost := lost_socket(directory):
        yield problem("sockets", lost, "wilor-sidecar status, a second later")


def check_models(effective: Effective) -> Iterator[Finding]:
    """The files of the served model, which comes first, and of all that are kept, against what is written of them."""
    store = ModelStore(effective.config.models_dir)
    folders = {model.folder: model.name for model in store.models()}
    if served := _served_folder(effective):
        folders.pop(served, None)
        yield _model(effective.config.model, served, store.root)
    for folder, name in folders.items():
        yield _model(name, folder, store.root)


def _served_folder(effective: Effective) -> Path | None:
    """None where it is not there, of which `check_settings` tells."""
    try:
        return folder_of(effective.located_model())
    except ConfigError:
        return None


def _model(name: str, folder: Path, models_dir: Path) -> Finding:
    check = f"model {name}"
    try:
        config = check_folder(folder, check_digest=True)
        provenance = read_provenance(folder)
    except WeightsError as error:
        return problem(check, str(error), command_to_make_again(folder, models_dir))
    text = f"{config.dtype}, {(folder / WEIGHTS_FILE).stat().st_size / 1e6:.0f} MB"
    if folder == EMBEDDED_FOLDER:
        return ok(check, f"{text}, as it was shipped")
    if provenance is None:
        return warning(check, f"{text}, as it was converted; nobody wrote down where it came from")
    source = provenance.fetched[0]
    pinned = "pinned" if source.pinned else "not pinned"
    return ok(check, f"{text}, as it was converted; from {source.repository} at {source.revision[:12]} ({pinned})")


def check_licences(store: ModelStore) -> Iterator[Finding]:
    """Whether the licences of what is kept were accepted."""
    try:
        known = {each.licence for each in accepted(store.root)}
    except SetupError as error:
        yield problem("licences", str(error), f"rm {_quoted(store.root / RECORD_FILE)}")
        return
    for model in store.models():
        if model.provenance is None:
            continue
        wanting = [licence for licence in LICENCES[model.provenance.origin] if licence.key not in known]
        if wanting:
            titles = ", ".join(licence.title for licence in wanting)
            asked_again = command_to_make_again(model.folder, store.root)  # what is whole is not made again
            yield warning("licences", f"{model.name}: no record of {titles}", asked_again)
    if known:
        yield ok("licences", f"accepted: {', '.join(sorted(known))}")
    else:
        yield ok("licences", "none accepted, none needed for the embedded model")


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
