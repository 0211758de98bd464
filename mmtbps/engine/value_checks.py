"""Checks of a config's dictionaries without a type, and of numbers that MMEngine refuses late or without a name."""

import difflib
import inspect
import logging
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, TestLoop, ValLoop, set_random_seed
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.utils.data import DataLoader

from .schedules import counts_iterations

__all__ = ['check_values']

_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# What MMEngine takes out of a loader's config before the rest goes to torch.
_OF_LOADERS = {'type', 'dataset', 'num_batch_per_epoch', '_scope_'}
_OF_LOOPS = {'type', 'by_epoch', '_scope_'}
_CUTOFF = 0.6
_LARGEST_SEED = 2**32 - 1  # of NumPy


def check_values(cfg: Config) -> list[str]:
    """Find unknown keys of loaders, loops, ``randomness`` and ``clip_grad``, and numbers that are none or out of range.

    Args:
        cfg: A complete config.

    Returns:
        The faults, each with its place and the remedy.
    """
    return [*_unknown_keys(cfg), *_wrong_numbers(cfg), *_lonely_evaluators(cfg)]


def _unknown_keys(cfg: Config) -> Iterator[str]:
    for name in _LOADERS:
        loader = _dictionary(cfg.get(name))
        if 'type' not in loader:
            yield from _unknown(name, loader, _parameters(DataLoader) | _OF_LOADERS)
    yield from _loop_keys(cfg)
    yield from _unknown('randomness', _dictionary(cfg.get('randomness')), _parameters(set_random_seed))
    optimization = _dictionary(cfg.get('optim_wrapper'))
    clipping = _dictionary(optimization.get('clip_grad'))
    known = _parameters(clip_grad_norm_) | _parameters(clip_grad_value_) | {'type'}
    yield from _unknown('optim_wrapper.clip_grad', clipping, known - {'parameters'})


def _loop_keys(cfg: Config) -> Iterator[str]:
    own, other = EpochBasedTrainLoop, IterBasedTrainLoop
    if counts_iterations(_dictionary(cfg.get('train_cfg'))):
        own, other = other, own
    loops = {'train_cfg': own, 'val_cfg': ValLoop, 'test_cfg': TestLoop}
    for name, loop in loops.items():
        node = _dictionary(cfg.get(name))
        if 'type' in node:
            continue  # that class' arguments are checked as those of any component
        foreign = _parameters(other) - _parameters(loop) if name == 'train_cfg' else set()
        for key in foreign & set(node):
            kind = 'iterations' if loop is IterBasedTrainLoop else 'epochs'
            yield (
                f'{name}.{key} means nothing to a loop of {kind}; a config that changes the loop of its base begins '
                f'with {name}=dict(_delete_=True, ...)'
            )
        known = _parameters(loop) | _OF_LOOPS | foreign
        yield from _unknown(name, node, known - {'runner', 'dataloader', 'evaluator'})


def _unknown(path: str, node: Mapping[str, Any], known: Collection[str]) -> Iterator[str]:
    for key in node:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, 1, _CUTOFF)
            hint = f'did you mean {path}.{close[0]}?' if close else f'known are {", ".join(sorted(known))}'
            yield f'{path}.{key} is unknown, {hint}'


def _wrong_numbers(cfg: Config) -> Iterator[str]:
    loop, optimization = _dictionary(cfg.get('train_cfg')), _dictionary(cfg.get('optim_wrapper'))
    for key in ('max_epochs', 'max_iters', 'val_interval', 'val_begin'):
        yield from _no_count(f'train_cfg.{key}', loop.get(key))
    for name in _LOADERS:
        loader = _dictionary(cfg.get(name))
        yield from _no_count(f'{name}.batch_size', loader.get('batch_size'))
        yield from _no_count(f'{name}.num_workers', loader.get('num_workers'), least=0)
    yield from _no_count('optim_wrapper.accumulative_counts', optimization.get('accumulative_counts'))
    yield from _no_count('randomness.seed', _dictionary(cfg.get('randomness')).get('seed'), 0, _LARGEST_SEED)
    rate = _dictionary(optimization.get('optimizer')).get('lr')
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float) or not rate >= 0):
        yield f'optim_wrapper.optimizer.lr must be a number of at least 0, got {rate!r}'
    if not isinstance(optimization.get('clip_grad'), dict | None):
        got = optimization['clip_grad']
        yield f'optim_wrapper.clip_grad must be a dictionary, such as dict(max_norm=1.0), got {got!r}'
    level = cfg.get('log_level')
    if isinstance(level, str) and not isinstance(logging.getLevelName(level), int):
        yield f'log_level must be one of DEBUG, INFO, WARNING, ERROR, got {level!r}'


def _no_count(path: str, value: Any, least: int = 1, most: int | None = None) -> Iterator[str]:
    whole = type(value) is int or (isinstance(value, float) and value.is_integer())
    if value is not None and not (whole and value >= least and (most is None or value <= most)):
        limit = '' if most is None else f' and at most {most}'
        yield f'{path} must be a whole number of at least {least}{limit}, got {value!r}'


def _lonely_evaluators(cfg: Config) -> Iterator[str]:
    """Loaders, loops and evaluators of val and test come together or not at all."""
    for name in ('val', 'test'):
        parts = [f'{name}_dataloader', f'{name}_cfg', f'{name}_evaluator']
        given = [part for part in parts if cfg.get(part) is not None]
        if given and len(given) < len(parts):
            missing = [part for part in parts if part not in given]
            yield f'{" and ".join(given)} without {" and ".join(missing)}: give all three, or set all to None'


def _dictionary(node: Any) -> Mapping[str, Any]:
    return node if isinstance(node, dict) else {}


def _parameters(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters) - {'self'}
