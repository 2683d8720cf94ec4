"""The version of the distribution and of the wire: the only place where either is written."""

from typing import Final, Literal

__version__ = "0.1.0"

Version = Literal[1]
"""What a reader takes for sound: a message of another version may mean something else."""

PROTOCOL_VERSION: Final[Version] = 1
"""The wire protocol spoken here; see PROTOCOL.md, "Evolution"."""
