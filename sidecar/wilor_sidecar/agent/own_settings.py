"""The settings that the daemon has as an agent: those of the settings file, whatever this shell's variables say."""

import argparse
import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wilor_sidecar.agent.world import unseen
from wilor_sidecar.config import Config, ConfigError, defaults_in, resolve, without_settings
from wilor_sidecar.config.file import default_config_file, home_of
from wilor_sidecar.mlx_settings import cache_directory, kernels_directory
from wilor_sidecar.weights.store import EMBEDDED


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """What the supervisor's daemon goes by.

    Attributes:
        file: the settings file, whether it is there or not.
        run_dir: where it answers.
        models_dir: where its models are.
        kernels: where it keeps what MLX has compiled for it.
        log_file: where it logs; None: where its supervisor likes it.
        places: all that settings name of the disk, by the setting's name.
        problem: why it will refuse to start; None: it will not. The rest may then be the defaults.
        ignored: variables of this shell that it does not see.
    """

    file: Path
    run_dir: Path
    models_dir: Path
    kernels: Path
    log_file: Path | None
    places: Mapping[str, Path]
    problem: str | None
    ignored: tuple[str, ...]


def agent_settings(environment: Mapping[str, str], shell: Mapping[str, str]) -> AgentSettings:
    """Read them.

    Args:
        environment: that the supervisor gives to what it starts.
        shell: this process's own.
    """
    world = without_settings(environment)
    config, problem = defaults_in(world), None
    places: dict[str, Path] = {}
    try:
        effective = resolve(argparse.Namespace(), world)
        config = effective.config
        places = _model_place(effective.located_model(), config.models_dir)
    except ConfigError as error:
        problem = str(error)
    return AgentSettings(
        file=default_config_file(world, platform=sys.platform, home=home_of(world)),
        run_dir=config.run_dir,
        models_dir=config.models_dir,
        kernels=kernels_directory(cache_directory(world), of_agent=True),
        log_file=config.log_file,
        places={**places, **_places_in(config)},
        problem=problem,
        ignored=unseen(shell, world),
    )


def _places_in(config: Config) -> dict[str, Path]:
    values = ((field.name, getattr(config, field.name)) for field in dataclasses.fields(config))
    return {name: value for name, value in values if isinstance(value, Path)}


def _model_place(located: str, models_dir: Path) -> dict[str, Path]:
    """A model in the folder of models goes where that goes, unless it is a link."""
    path = Path(located).resolve()
    return {} if located == EMBEDDED or path.is_relative_to(models_dir.resolve()) else {"model": path}
