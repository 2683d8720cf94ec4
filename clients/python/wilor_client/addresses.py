"""Where the daemon of this user is, when nobody says."""

from pathlib import Path

from wilor_client.errors import HandClientError
from wilor_protocol.address import default_run_directory, events_address, requests_address
from wilor_protocol.private_directory import NotPrivateError, make_private


def default_requests_address() -> str:
    """Where this user's daemon answers.

    Raises:
        HandClientError: somebody else could listen there: the directory is not this user's alone.
    """
    return requests_address(_own_directory())


def default_events_address() -> str:
    """Where this user's daemon publishes.

    Raises:
        HandClientError: somebody else could publish there: the directory is not this user's alone.
    """
    return events_address(_own_directory())


def _own_directory() -> Path:
    """The run directory, made if there is none yet: in /tmp whoever makes it first has it."""
    directory = default_run_directory()
    try:
        make_private(directory)
    except NotPrivateError as error:
        raise HandClientError(f"run directory {error}") from error
    return directory
