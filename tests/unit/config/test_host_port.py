"""TCP addresses in settings."""

import pytest

from wilor_sidecar.config import Config, ConfigError
from wilor_sidecar.config.host_port import HostPort


@pytest.mark.parametrize(
    ("text", "loopback", "written"),
    [
        ("127.0.0.1:9090", True, "127.0.0.1:9090"),
        ("127.8.8.8:0", True, "127.8.8.8:0"),
        ("localhost:80", True, "127.0.0.1:80"),
        ("[::1]:65535", True, "[::1]:65535"),
        ("0.0.0.0:1", False, "0.0.0.0:1"),
        ("[::]:1", False, "[::]:1"),
        ("192.168.1.2:1", False, "192.168.1.2:1"),
    ],
)
def test_addresses_are_read(text: str, loopback: bool, written: str) -> None:
    """And are known for what they are."""
    found = HostPort.parse(text)
    assert str(found) == written
    assert found.is_loopback == loopback


@pytest.mark.parametrize(
    "text", ["", ":1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:1x", "127.0.0.1:²",
             "::1:80", "[127.0.0.1]:80", "example.org:80", "*:80", "localhost"]
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    """No name is looked up, and nothing means "everywhere" by accident."""
    with pytest.raises(ValueError):  # noqa: PT011 - the setting makes the text
        HostPort.parse(text)


@pytest.mark.parametrize("text", ["0.0.0.0:9090", "[::]:9090", "192.168.1.2:9090"])
def test_metrics_are_for_this_machine_only(text: str) -> None:
    """Another address is refused."""
    with pytest.raises(ConfigError, match="metrics: expected an address of the loopback"):
        Config(metrics=HostPort.parse(text))
