"""Daemon and clients find each other by the rule of PROTOCOL.md, "The run directory"."""

from pathlib import Path

import pytest

from wilor_protocol.address import (
    default_run_directory,
    events_address,
    requests_address,
    run_directory,
    socket_path_excess,
)

_FALLBACK = Path("/tmp/wilor-sidecar-501")
_LIBRARY = "/Library/Caches/wilor-sidecar/run"


def _linux(environment: dict[str, str]) -> Path:
    return run_directory(environment, platform="linux", home=Path("/home/ada"), user_id=501)


def _mac(home: str, environment: dict[str, str] | None = None) -> Path:
    return run_directory(environment or {}, platform="darwin", home=Path(home), user_id=501)


def test_on_linux_it_is_in_the_runtime_directory() -> None:
    """XDG's directory is private already and is emptied at logout."""
    assert _linux({"XDG_RUNTIME_DIR": "/run/user/501"}) == Path("/run/user/501/wilor-sidecar")


@pytest.mark.parametrize("environment", [{}, {"XDG_RUNTIME_DIR": ""}])
def test_on_linux_without_a_runtime_directory_it_is_in_tmp(environment: dict[str, str]) -> None:
    """Without XDG's directory, unset or empty, the user's number keeps users apart."""
    assert _linux(environment) == _FALLBACK


def test_on_a_mac_it_is_in_the_users_caches() -> None:
    """XDG's variable means nothing on a Mac."""
    assert _mac("/Users/ada", {"XDG_RUNTIME_DIR": "/run/user/501"}) == Path("/Users/ada" + _LIBRARY)


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_the_variable_wins(platform: str) -> None:
    """`WILOR_SIDECAR_RUN` is taken as it is, even where it is too long for a socket."""
    for chosen in ("/srv/hands", "/" + "x" * 200):
        environment = {"WILOR_SIDECAR_RUN": chosen, "XDG_RUNTIME_DIR": "/run/user/501"}
        assert run_directory(environment, platform=platform, home=Path("/h"), user_id=501) == Path(chosen)


def test_an_empty_variable_is_none() -> None:
    """Set to nothing, the variable does not count."""
    assert _linux({"WILOR_SIDECAR_RUN": "", "XDG_RUNTIME_DIR": "/run/user/501"}) == Path("/run/user/501/wilor-sidecar")


def test_on_a_mac_a_long_home_falls_back_at_104_bytes() -> None:
    """A socket's path of 103 bytes is still used, one of 104 is not."""
    longest = "/" + "u" * (103 - len(_LIBRARY + "/requests") - 1)
    assert len(f"{longest}{_LIBRARY}/requests") == 103
    assert _mac(longest) == Path(longest + _LIBRARY)
    assert _mac(longest + "u") == _FALLBACK


def test_on_linux_a_long_runtime_directory_falls_back_at_108_bytes() -> None:
    """A socket's path of 107 bytes is still used, one of 108 is not."""
    longest = "/" + "r" * (107 - len("/wilor-sidecar/requests") - 1)
    assert len(f"{longest}/wilor-sidecar/requests") == 107
    assert _linux({"XDG_RUNTIME_DIR": longest}) == Path(longest, "wilor-sidecar")
    assert _linux({"XDG_RUNTIME_DIR": longest + "r"}) == _FALLBACK


def test_a_paths_length_is_counted_in_bytes() -> None:
    """A name of two-byte letters takes twice their number."""
    letters = (103 - len(_LIBRARY + "/requests") - 1) // 2
    assert _mac("/" + "é" * letters) == Path("/" + "é" * letters + _LIBRARY)
    assert _mac("/" + "é" * (letters + 1)) == _FALLBACK


@pytest.mark.parametrize(("platform", "limit"), [("darwin", 103), ("linux", 107), ("freebsd14", 107)])
def test_the_excess_is_that_of_the_longest_socket(platform: str, limit: int) -> None:
    """`requests` is the longest name, and its length decides for the directory."""
    directory = Path("/" + "d" * (limit - len("/requests") - 1))
    assert socket_path_excess(directory, platform) == 0
    assert socket_path_excess(Path(f"{directory}d"), platform) == 1
    assert socket_path_excess(Path("/d"), platform) < 0


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_the_fallback_fits(platform: str) -> None:
    """The last resort is short enough, even for the largest user number."""
    home = Path("/" + "h" * 300)
    assert socket_path_excess(run_directory({}, platform=platform, home=home, user_id=2**32 - 2), platform) < 0


def test_both_sockets_are_in_the_directory() -> None:
    """The addresses are ZeroMQ's form of the sockets' paths."""
    assert requests_address(Path("/run/w")) == "ipc:///run/w/requests"
    assert events_address(Path("/run/w")) == "ipc:///run/w/events"


def test_the_default_is_that_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process's own environment decides."""
    monkeypatch.setenv("WILOR_SIDECAR_RUN", "/srv/hands")
    assert default_run_directory() == Path("/srv/hands")
