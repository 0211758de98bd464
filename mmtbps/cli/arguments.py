"""Arguments that several commands have."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter
from cyclopts.validators import Number

from .settings import override

if TYPE_CHECKING:
    from mmengine.config import Config

__all__ = [
    'OWN',
    'CfgOptions',
    'Device',
    'Launcher',
    'LocalRank',
    'Model',
    'Switch',
    'Trusted',
    'Words',
    'Workers',
    'config_of',
    'moved_weights',
    'set_local_rank',
]

Words = Annotated[list[str] | None, Parameter(consume_multiple=True)]
"""An option with any number of words behind it."""

Switch = Annotated[bool, Parameter(show_default=False)]
"""An option without a word, off by default."""

CfgOptions = Annotated[
    list[str] | None,
    Parameter(consume_multiple=True, help='Override settings of the config: `key=value ...`.'),
]
OWN = Parameter(group=Group('Own data', sort_key=10))
Device = Annotated[str | None, Parameter(help='Where the model runs (default: cuda if there is one, else cpu).')]
Launcher = Annotated[Literal['none', 'pytorch', 'slurm', 'mpi'], Parameter(help='Job launcher of several processes.')]
Workers = Annotated[int, Parameter(validator=Number(gte=0))]
LocalRank = Annotated[int, Parameter(show=False)]
Trusted = Annotated[
    list[str] | None,
    Parameter(
        name='--trust', help="Import this module, which classes of the gallery's model are from; may be repeated."
    ),
]


@Parameter(name='*')
@dataclass
class Model:
    """The options that name a model.

    Args:
        model: A model by name, such as nam (`mmtbps models` lists all), clip-vit-b16@TAG or @FILE of open_clip,
            local-dir:FOLDER, or the folder of a training or conversion.
        config: Config of the model, instead of --model.
        checkpoint: Weights of the model, with --config, or other ones than those of --model.
    """

    model: str | None = None
    config: str | None = None
    checkpoint: str | None = None

    def files(self) -> tuple[str | Path, str | Path]:
        """Give config and weights of the model that the options name.

        Raises:
            FileNotFoundError: If there are no such files, and they cannot be fetched.
            ValueError: If they name none or two.
        """
        from mmtbps.zoo import require_named
        from mmtbps.zoo.models import is_model
        from mmtbps.zoo.trained import config_of as config_of_training

        if self.config and not self.model and not self.checkpoint and is_model(self.config):
            return require_named(self.config)
        if self.model and not self.config:
            if self.checkpoint and os.path.isdir(self.model):
                return config_of_training(Path(self.model)), self.checkpoint
            config, weights = require_named(self.model)
            return config, self.checkpoint or weights
        if self.model or not (self.config and self.checkpoint):
            given = 'both --model and --config' if self.model else '--config alone' if self.config else 'neither'
            raise ValueError(f'Name the model by --model NAME, or by --config and --checkpoint; got {given}.')
        return self.config, self.checkpoint


def moved_weights(model: str | None, checkpoint: str | None) -> str | Path | None:
    """Weights of a gallery's model that have been moved: by name, by file, or None.

    Raises:
        ValueError: If both are given.
    """
    from mmtbps.zoo import require_named

    if model and checkpoint:
        raise ValueError('The weights of the gallery are given twice: --model and --checkpoint. Leave one out.')
    return require_named(model)[1] if model else checkpoint


def config_of(name: str | Path, cfg_options: list[str] | None) -> 'Config':
    """Read a config by file or name, and override settings of it."""
    from mmtbps.zoo import read_config

    return override(read_config(name), cfg_options)


def set_local_rank(local_rank: int) -> None:
    """Tell MMEngine which of a launcher's processes this is; old launchers say it by ``--local_rank``."""
    os.environ.setdefault('LOCAL_RANK', str(local_rank))
