"""The settings that the daemon has as an agent: those of the settings file, whatever this shell's variables say."""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wilor_protocol.address import run_directory
from wilor_sidecar.config import ConfigError, resolve
from wilor_sidecar.config.file import default_config_file
from wilor_sidecar.config.setting import VARIABLE_PREFIX
from wilor_sidecar.weights.store import models_directory


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """What the supervisor's daemon goes by.

    Attributes:
        file: the settings file, whether it is there or not.
        run_dir: where it answers.
        models_dir: where its models are.
        log_file: where it logs; None: where its supervisor likes it.
        problem: why it will refuse to start; None: it will not. The rest are then the defaults.
        ignored: variables of this shell that it will not see.
    """

    file: Path
    run_dir: Path
    models_dir: Path
    log_file: Path | None
    problem: str | None
    ignored: tuple[str, ...]


def agent_settings(environment: Mapping[str, str], home: Path, user_id: int) -> AgentSettings:
    """Read them.

    Args:
        environment: of this process.
        home: the user's home directory.
        user_id: the user's number.
    """
    ignored = tuple(sorted(name for name in environment if name.startswith(VARIABLE_PREFIX)))
    seen = {name: value for name, value in environment.items() if name not in ignored}
    file = default_config_file(seen, platform=sys.platform, home=home)
    run_dir = run_directory(seen, platform=sys.platform, home=home, user_id=user_id)
    models_dir = models_directory(seen, platform=sys.platform, home=home)
    log_file = problem = None
    try:
        effective = resolve(argparse.Namespace(), seen)
        if effective.origins["run_dir"] != "default":
            run_dir = effective.config.run_dir
        models_dir, log_file = effective.config.models_dir, effective.config.log_file
        effective.config.located_model()
    except ConfigError as error:
        problem = str(error)
    return AgentSettings(file, run_dir, models_dir, log_file, problem, ignored)
