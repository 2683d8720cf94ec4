"""The version of the distribution and of the wire: the only place where either is written."""

__version__ = "0.1.0"

PROTOCOL_VERSION = 1
"""The wire protocol spoken here; see PROTOCOL.md, "Evolution"."""
