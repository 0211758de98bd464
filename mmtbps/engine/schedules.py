"""Schedules of the learning rate under a loop of iterations, which MMEngine takes for one epoch."""

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

__all__ = ['counts_iterations', 'fit_schedules']

_PLACES = ('begin', 'end', 'T_max')


def counts_iterations(train_cfg: Mapping[str, Any] | None) -> bool:
    """Whether a training is a loop of iterations.

    Args:
        train_cfg: The config of the loop.
    """
    loop = train_cfg or {}
    kind = loop.get('type')
    if kind is None:
        return loop.get('by_epoch') is False
    return getattr(kind, '__name__', str(kind)).endswith('IterBasedTrainLoop')


def fit_schedules(cfg: Config) -> None:
    """Let a schedule without an end reach from the first iteration to the last, and refuse one that would never act.

    MMEngine ends such a schedule with the first epoch, which in a loop of iterations is the first pass over the data,
    and moves one that counts epochs at the end of the run only.

    Args:
        cfg: A complete config, which is changed.

    Raises:
        ValueError: If a schedule counts epochs in a loop of iterations.
    """
    if not counts_iterations(cfg.get('train_cfg')):
        return
    schedules = cfg.get('param_scheduler') or []
    for number, schedule in enumerate(schedules if isinstance(schedules, list | tuple) else [schedules]):
        if not isinstance(schedule, dict) or not schedule.get('by_epoch', True):
            continue
        if not schedule.get('convert_to_iter_based'):
            raise ValueError(
                f'param_scheduler.{number} ({schedule.get("type")}) counts epochs, and train_cfg counts iterations, so '
                'that it would never act. Set its by_epoch=False and give its numbers in iterations, or '
                'convert_to_iter_based=True, with which it counts passes over the data.'
            )
        if not any(place in schedule for place in _PLACES):
            schedule.pop('convert_to_iter_based')
            schedule['by_epoch'] = False
