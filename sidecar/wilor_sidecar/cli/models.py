"""`wilor-sidecar models`: which models there are, where they came from, and which one is served when nobody says."""

import argparse
import os
import sys
from collections.abc import Iterator

import msgspec

from wilor_sidecar.cli.commands import SubParsers, add_command
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.cli.failure import CommandError
from wilor_sidecar.config import Effective, add_flags, resolve
from wilor_sidecar.setup.again import command_to_make_again
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.model_config import WEIGHTS_FILE, read_config
from wilor_sidecar.weights.store import EMBEDDED, EMBEDDED_FOLDER, ModelStore, StoredModel


class _Listed(msgspec.Struct, frozen=True):
    """A line of the list. What is not known is None."""

    name: str
    is_default: bool
    source: str | None = None
    revision: str | None = None
    licence: str | None = None
    dtype: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    folder: str | None = None
    problem: str | None = None
    mend: str | None = None


def add_parser(commands: SubParsers) -> None:
    """Declare the command."""
    parser = add_command(commands, "models", run_list, "List the models, choose the one to serve, remove one.")
    parser.add_argument("--json", action="store_true", help="as JSON")
    add_flags(parser, "models_dir")
    actions = parser.add_subparsers(metavar="ACTION")
    use = add_command(actions, "use", run_use, "Serve a model from the next start on, unless a setting names another.")
    use.add_argument("name", help="as `wilor-sidecar models` lists it")
    remove = add_command(actions, "remove", run_remove, "Delete a model.")
    remove.add_argument("name", help="as `wilor-sidecar models` lists it")
    for action in (use, remove):
        add_flags(action, "models_dir")


def run_list(arguments: argparse.Namespace) -> int:
    """Print all models."""
    effective = resolve(arguments, os.environ)
    store = ModelStore(effective.config.models_dir)
    served = effective.config.model
    listed = [_embedded(is_default=served == EMBEDDED)]
    listed += [_listed(model, served) for model in store.models()]
    if arguments.json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(listed)) + b"\n")
    else:
        sys.stdout.write("\n".join(_lines(listed, effective)) + "\n")
    return Exit.OK


def run_use(arguments: argparse.Namespace) -> int:
    """Choose a model."""
    store = _store(arguments)
    try:
        store.use(arguments.name)
    except WeightsError as error:
        raise CommandError(f"{error}{_mend(store, arguments.name)}") from error
    sys.stdout.write(f"{arguments.name} is served from the daemon's next start on\n")
    effective = resolve(arguments, os.environ)
    if effective.config.model != arguments.name:
        sys.stdout.write(f"but {effective.origins['model']} says {effective.config.model}, which comes first\n")
    return Exit.OK


def run_remove(arguments: argparse.Namespace) -> int:
    """Delete a model."""
    try:
        was_chosen = _store(arguments).remove(arguments.name)
    except WeightsError as error:
        raise CommandError(str(error)) from error
    sys.stdout.write(f"removed {arguments.name}" + ("; embedded is the default now\n" if was_chosen else "\n"))
    return Exit.OK


def _mend(store: ModelStore, name: str) -> str:
    """On a line of its own, the command; "" where no model of that name is broken."""
    broken = [model for model in store.models() if model.name == name and isinstance(model.config, str)]
    return f"\nto mend it: {command_to_make_again(broken[0].folder, store.root)}" if broken else ""


def _store(arguments: argparse.Namespace) -> ModelStore:
    return ModelStore(resolve(arguments, os.environ).config.models_dir)


def _embedded(*, is_default: bool) -> _Listed:
    config = read_config(EMBEDDED_FOLDER)
    return _Listed(
        name=EMBEDDED,
        is_default=is_default,
        source="the package",
        licence=config.licence,
        dtype=config.dtype,
        size_bytes=(EMBEDDED_FOLDER / WEIGHTS_FILE).stat().st_size,
        sha256=config.weights_sha256,
        folder=str(EMBEDDED_FOLDER),
    )


def _listed(model: StoredModel, served: str) -> _Listed:
    is_default = served in (model.name, str(model.folder))
    folder = str(model.folder)
    if isinstance(model.config, str):
        return _Listed(
            name=model.name,
            is_default=is_default,
            size_bytes=model.size_bytes,
            folder=folder,
            problem=model.config,
            mend=command_to_make_again(model.folder, model.folder.parent),
        )
    config, fetched = model.config, model.provenance.fetched[0] if model.provenance else None
    return _Listed(
        name=model.name,
        is_default=is_default,
        source=f"{fetched.repository} {fetched.name}" if fetched else config.source.name,
        revision=fetched.revision if fetched else None,
        licence=config.licence,
        dtype=config.dtype,
        size_bytes=model.size_bytes,
        sha256=config.weights_sha256,
        folder=folder,
    )


def _lines(listed: list[_Listed], effective: Effective) -> list[str]:
    served, origin = effective.config.model, effective.origins["model"]
    lines = [f"served: {served} ({origin}); models are kept in {effective.config.models_dir}"]
    for model in listed:
        lines += [f"{'*' if model.is_default else ' '} {model.name}", *(f"    {text}" for text in _particulars(model))]
    return lines


def _particulars(model: _Listed) -> Iterator[str]:
    if model.problem:
        yield f"cannot be used: {model.problem}"
        yield f"to mend it: {model.mend}"
        return
    yield f"from {model.source}" + (f" at {model.revision}" if model.revision else "")
    if model.size_bytes is not None:
        yield f"{model.dtype}, {model.size_bytes / 1e6:.0f} MB, sha256 {model.sha256}"
    yield f"licence: {model.licence}"
