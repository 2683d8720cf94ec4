"""What huggingface_hub and the disk under it raise, as one sentence: what happened, and what to do."""

import contextlib
import logging
from collections.abc import Iterator

from wilor_sidecar.setup.errors import SetupError

_AGAIN = "look at the line and run the command again: what has arrived is kept"
_STATUS = {
    401: "the hub wants to know who asks (401): set HF_TOKEN, or unset one that has expired",
    403: "this account may not have it (403): accept the repository's conditions, or use another HF_TOKEN",
    404: "there is no {file} at this revision (404): it was moved or removed; --manifest can name another place",
    416: "the hub cannot go on with a cut download (416): run the command again",
    429: "too many requests (429): wait some minutes and run the command again; an HF_TOKEN raises the limit",
}


@contextlib.contextmanager
def told(repository: str, file: str) -> Iterator[None]:
    """Turn what is raised inside into a SetupError.

    Args:
        repository: that is asked.
        file: of it that is wanted.
    """
    from huggingface_hub import errors  # noqa: PLC0415 - reads the environment: see settle_hub

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        yield
    except errors.GatedRepoError as error:
        raise SetupError(
            f"{repository}: the hub wants its conditions accepted first: open https://huggingface.co/{repository}, "
            "accept them, and set HF_TOKEN to a token of that account"
        ) from error
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError) as error:
        raise SetupError(
            f"{repository}: {file} is not in the cache, and this run is offline (--offline or HF_HUB_OFFLINE). "
            "Run it once with a network, or bring the cache along: it is in HF_HOME"
        ) from error
    except errors.HfHubHTTPError as error:
        raise SetupError(f"{repository}: {_told_status(error.response.status_code, file)}") from error
    except OSError as error:
        raise SetupError(_told_os_error(repository, file, error)) from error
    except Exception as error:
        # The hub's HTTP library has errors of its own, and none of them is a defect of ours.
        if type(error).__module__.partition(".")[0] not in ("httpx", "httpx2", "httpcore", "huggingface_hub"):
            raise
        raise SetupError(f"{repository}: the hub cannot be reached ({_first_line(error)}); {_AGAIN}") from error


def _told_status(status: int, file: str) -> str:
    if status in _STATUS:
        return _STATUS[status].format(file=file)
    return f"the hub answers {file} with status {status}: try again later; what has arrived is kept"


def _told_os_error(repository: str, file: str, error: OSError) -> str:
    """The line's errors have no number, or are of the connection; all others are of the disk."""
    if error.errno is None or isinstance(error, ConnectionError | TimeoutError):
        return f"{repository}: {file} could not be fetched ({_first_line(error)}); {_AGAIN}"
    where = error.filename or "the cache"
    return f"{where}: cannot be used for the download ({error.strerror}); HF_HOME can name another folder"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
