"""Names of figures that a config chooses or stops by: whether an evaluation gives them shows before the training."""

import copy
import difflib
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from mmtbps.evaluation import TBPSMetric
from mmtbps.registry import METRICS

__all__ = ['check_scores']

_AUTO = 'auto'


def check_scores(cfg: Config) -> list[str]:
    """Find names in ``save_best``, of ``EarlyStoppingHook`` and of schedules that the metrics of val do not give.

    Args:
        cfg: A complete config.

    Returns:
        The faults, each with a suggestion; none if there is a metric of another kind, whose names are not known.
    """
    known = _names(cfg.get('val_evaluator'))
    if cfg.get('val_dataloader') is None or not known:
        return []
    faults = []
    for place, name in _chosen(cfg):
        # Figures of a data set among several have its name in front.
        if not isinstance(name, str) or '/'.join(name.rsplit('/', 2)[-2:]) not in known:
            close = difflib.get_close_matches(str(name), known, 1, 0.5)
            hint = f', did you mean {close[0]!r}?' if close else '.'
            faults.append(f'{place}={name!r} is no figure of the validation{hint} There are {", ".join(known)}')
    return faults


def _chosen(cfg: Config) -> Iterator[tuple[str, Any]]:
    checkpoint = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    best = checkpoint.get('save_best') or []
    for name in best if isinstance(best, list | tuple) else [best]:
        if name != _AUTO:
            yield 'default_hooks.checkpoint.save_best', name
    for number, hook in enumerate(cfg.get('custom_hooks') or []):
        if isinstance(hook, dict) and str(hook.get('type')).endswith('EarlyStoppingHook') and hook.get('monitor'):
            yield f'custom_hooks.{number}.monitor', hook['monitor']
    schedules = cfg.get('param_scheduler') or []
    for number, schedule in enumerate(schedules if isinstance(schedules, list | tuple) else [schedules]):
        if isinstance(schedule, dict) and 'ReduceOnPlateau' in str(schedule.get('type')):
            yield f'param_scheduler.{number}.monitor', schedule.get('monitor', 'loss')  # MMEngine's default


def _names(evaluator: Any) -> list[str]:
    """Names of the figures; empty if they are not known before an evaluation."""
    configs = evaluator if isinstance(evaluator, list | tuple) else [evaluator]
    names: list[str] = []
    for config in configs:
        kind = config.get('type') if isinstance(config, dict) else None
        if str(getattr(kind, '__name__', kind)).removeprefix('mmtbps.') != TBPSMetric.__name__:
            return []
        names += METRICS.build(copy.deepcopy(dict(config))).names
    return names
