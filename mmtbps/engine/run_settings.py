"""Settings that the state of a training holds too: a resumed run keeps the old ones, whatever the config says."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

__all__ = ['changed_settings', 'settings_of']

_LOADER = 'train_dataloader'
_PLACES = ('optim_wrapper', 'param_scheduler', 'randomness.seed', f'{_LOADER}.batch_size', f'{_LOADER}.sampler')


def settings_of(cfg: Config) -> dict[str, str]:
    """List the settings on which the course of a training depends, and which its checkpoints fix.

    Args:
        cfg: The config of the run.

    Returns:
        The value of each, as JSON, by its place in the config: optimizer, schedules, seed, batch size and sampler.
    """
    return {
        place: json.dumps(value, default=_name)
        for root in _PLACES
        for place, value in _leaves(_inside(cfg, root), root)
    }


def changed_settings(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Compare the settings of a checkpoint's run with those of the run that is to go on.

    Args:
        old: What :func:`settings_of` gave for the checkpoint's run.
        new: What it gives now.

    Returns:
        A part of a sentence for each that differs; none where one of both is not known, as of a runner without config.
    """
    if not (old and new):
        return []
    return [
        f'{place} is {new.get(place, "not set")} (was {old.get(place, "not set")})'
        for place in dict.fromkeys([*old, *new])
        if old.get(place) != new.get(place)
    ]


def _name(value: Any) -> str:
    return getattr(value, '__qualname__', None) or type(value).__qualname__


def _inside(value: Any, place: str) -> Any:
    for key in place.split('.'):
        value = value.get(key) if isinstance(value, Mapping | Config) else None
    return value


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping | list | tuple) and value:
        for key, part in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _leaves(part, f'{place}.{key}')
    elif value is not None:
        yield place, value
