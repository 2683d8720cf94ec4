"""Where the daemon is: as somebody said, in a run directory, or where this user's daemon is by default."""

import os
from pathlib import Path

from wilor_client.errors import BadAddressError, HandClientError
from wilor_protocol.address import check_address, default_run_directory, events_address, requests_address
from wilor_protocol.private_directory import NotPrivateError, make_private

PathLike = str | os.PathLike[str]


def requests_address_of(address: str | None, run_dir: PathLike | None) -> str:
    """Where the daemon answers.

    Args:
        address: said so; None: in the run directory.
        run_dir: of a daemon that has one of its own; None: this user's.

    Raises:
        BadAddressError: nothing can be connected to there.
        HandClientError: somebody else could listen there: the user's run directory is not this user's alone.
    """
    return _checked(address, run_dir) or requests_address(_own_directory())


def events_address_of(address: str | None, run_dir: PathLike | None) -> str:
    """Where the daemon publishes. Arguments and errors are those of `requests_address_of`."""
    return _checked(address, run_dir, events=True) or events_address(_own_directory())


def _checked(address: str | None, run_dir: PathLike | None, *, events: bool = False) -> str | None:
    if run_dir is not None:
        if address is not None:
            raise BadAddressError(f"address, run_dir: expected one of them, got {address!r} and {str(run_dir)!r}")
        address = (events_address if events else requests_address)(Path(run_dir).absolute())
    if address is not None:
        try:
            check_address(address)
        except ValueError as error:
            raise BadAddressError(str(error)) from None
    return address


def _own_directory() -> Path:
    """The run directory, made if there is none yet: in /tmp whoever makes it first has it."""
    directory = default_run_directory()
    try:
        make_private(directory)
    except NotPrivateError as error:
        raise HandClientError(f"run directory {error}") from error
    return directory
