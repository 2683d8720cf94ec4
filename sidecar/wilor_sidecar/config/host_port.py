"""A TCP address that a setting names."""

import ipaddress
import socket
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class HostPort:
    """Where to listen.

    Attributes:
        host: an IP address of this machine.
        port: 0: any that is free.
    """

    host: ipaddress.IPv4Address | ipaddress.IPv6Address
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `127.0.0.1:9090`, `[::1]:9090` or `localhost:9090`. No name but this one is looked up.

        Raises:
            ValueError: it is none of these.
        """
        host, colon, port = text.rpartition(":")
        if not colon or not port.isascii() or not port.isdecimal() or int(port) > 65535:
            raise ValueError(text)
        if host == "localhost":
            host = "127.0.0.1"
        is_bracketed = host.startswith("[") and host.endswith("]")
        address = ipaddress.ip_address(host[1:-1] if is_bracketed else host)
        if is_bracketed != (address.version == 6):
            raise ValueError(text)
        return cls(address, int(port))

    @property
    def family(self) -> socket.AddressFamily:
        """Of sockets there."""
        return socket.AF_INET6 if self.host.version == 6 else socket.AF_INET

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host.is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.host.version == 6 else f"{self.host}:{self.port}"
