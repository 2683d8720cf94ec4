"""The table: for each setting its name, type, default, limits and help, here and nowhere else."""

import dataclasses
import os
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wilor_protocol.address import RUN_VARIABLE, run_directory
from wilor_sidecar.config.errors import ConfigError
from wilor_sidecar.config.file import default_config_file, home_of
from wilor_sidecar.config.host_port import HostPort
from wilor_sidecar.config.setting import Setting, declare, setting_of
from wilor_sidecar.weights.store import EMBEDDED, models_directory

_LAST_PORT = 65535
_DAY_S = 86_400


def _models_dir(environment: Mapping[str, str]) -> Path:
    return models_directory(environment, platform=sys.platform, home=home_of(environment))


def _run_dir(environment: Mapping[str, str]) -> Path:
    return run_directory(environment, platform=sys.platform, home=home_of(environment), user_id=os.getuid())


def _keys_dir(environment: Mapping[str, str]) -> Path:
    file = default_config_file(environment, platform=sys.platform, home=home_of(environment))
    return file.parent / "keys"


@dataclass(frozen=True, slots=True)
class Config:
    """What `serve` needs to know. To add a setting, add a row."""

    model: str = declare(
        EMBEDDED, "the network to serve: embedded, a model that `wilor-sidecar models` lists, or a converted folder"
    )
    models_dir: Path = declare(_models_dir, "where models are kept: see `wilor-sidecar models`")
    run_dir: Path = declare(_run_dir, "the private directory for the sockets", variable=RUN_VARIABLE)
    log_level: str = declare("info", "how much to log", choices=("debug", "info", "warning", "error"))
    log_file: Path | None = declare(
        None, "a private file to log to, at most 12 MB with its old ones, instead of stderr"
    )
    metrics: HostPort | None = declare(
        None, "tell Prometheus how the daemon is at this address of the loopback, as 127.0.0.1:9090; port 0: any"
    )
    unload_after: float = declare(
        0.0, "seconds without a request after which the network leaves memory; 0: never", low=0, high=7 * _DAY_S
    )
    keep_warm: float = declare(
        30.0, "seconds after a request for which a GPU is kept from slowing down; 0: not at all", low=0, high=_DAY_S
    )
    memory_limit: int = declare(
        0,
        "MB of memory beyond which it restarts; 0: twice what it needed at first, and 1 GiB",
        low=0,
        high=1_000_000_000,
    )
    hang_limit: float = declare(
        5.0, "seconds that a batch may take, at the least, before it is taken for hung", low=0.5, high=3600
    )
    most_failed_starts: int = declare(
        5, "failed starts within ten minutes after which nothing is loaded for as long; 0: any number", low=0, high=1000
    )

    tcp: HostPort | None = declare(
        None, "answer at this TCP address too, and publish at the next port, as 127.0.0.1:7447 (see README: Over TCP)"
    )
    keys_dir: Path = declare(_keys_dir, "the private folder of keys for TCP: see `wilor-sidecar keys`")

    def __post_init__(self) -> None:
        if self.metrics and not self.metrics.is_loopback:
            raise ConfigError(f"metrics: expected an address of the loopback, got {self.metrics}")
        if self.tcp and not 1 <= self.tcp.port <= _LAST_PORT - 1:
            raise ConfigError(f"tcp: expected a port from 1 to {_LAST_PORT - 1}, got {self.tcp.port}")


def _rows() -> tuple[Setting, ...]:
    kinds = typing.get_type_hints(Config)
    return tuple(setting_of(column, _kind(kinds[column.name])) for column in dataclasses.fields(Config))


def _kind(annotation: object) -> type:
    """The type behind `T` and `T | None`."""
    if isinstance(annotation, types.UnionType):
        annotation = next(each for each in annotation.__args__ if each is not type(None))
    assert isinstance(annotation, type)
    return annotation


SETTINGS = _rows()
"""The rows, in the table's order."""
