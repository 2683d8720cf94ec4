"""Connections that are no ZMTP, or almost: what their peers send, byte by byte, one file each in `zmtp/`."""
