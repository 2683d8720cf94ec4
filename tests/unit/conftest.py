"""What unit tests with sockets share."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A fresh private directory whose path leaves room for a socket's name, which pytest's own does not."""
    path = Path(tempfile.mkdtemp(prefix="ws-", dir="/tmp"))
    yield path
    shutil.rmtree(path)
