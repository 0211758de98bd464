"""Checks that what a config gives is of the kind that is read there: all else looks into it."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from mmengine.config import Config

__all__ = ['check_kinds', 'refuse_faults']

_Check = Callable[[Any], bool]


def _is_component(value: Any) -> bool:
    """A dictionary, or an object that code has built already."""
    return value is not None and not isinstance(value, bool | int | float | complex | str | bytes | list | tuple | set)


def _is_whole(value: Any) -> bool:
    return type(value) is int or (isinstance(value, float) and value.is_integer())


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _are_numbers(value: Any) -> bool:
    return _is_list(value) and len(value) > 1 and all(map(_is_number, value))


def _are_components(value: Any) -> bool:
    return value is None or _is_list(value) or _is_component(value)


def _is_switch(value: Any) -> bool:
    return isinstance(value, int) and value in (0, 1)


def _or_none(check: _Check) -> _Check:
    return lambda value: value is None or check(value)


_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_LOOPS = ('train_cfg', 'val_cfg', 'test_cfg')
_EVALUATORS = ('val_evaluator', 'test_evaluator')
_METHODS = multiprocessing.get_all_start_methods()

# Places, what must stand there, and how to tell. `*` is any key of a dictionary, `#` any place of a list.
_KINDS: list[tuple[Iterable[str], _Check, str]] = [
    (
        ['model', 'env_cfg', 'env_cfg.mp_cfg', 'env_cfg.dist_cfg', 'randomness', 'optim_wrapper.optimizer']
        + ['custom_hooks.#', 'param_scheduler.#', *(f'{name}.#' for name in _EVALUATORS)]
        + [f'{loader}.dataset' for loader in _LOADERS],
        _is_component,
        'a dictionary',
    ),
    (
        [*_LOADERS, *_LOOPS, 'optim_wrapper', 'auto_scale_lr', 'default_hooks', 'default_hooks.*', 'log_processor']
        + ['visualizer', 'optim_wrapper.paramwise_cfg']
        + [f'{loader}.{part}' for loader in _LOADERS for part in ('sampler', 'batch_sampler', 'collate_fn')]
        + [f'{loader}.dataset.tokenizer' for loader in _LOADERS],
        _or_none(_is_component),
        'a dictionary or None',
    ),
    (['custom_hooks'], _or_none(_is_list), 'a list of dictionaries'),
    (['param_scheduler', *_EVALUATORS], _are_components, 'a dictionary or a list of them'),
    (
        ['resume', 'find_unused_parameters', 'env_cfg.cudnn_benchmark', 'auto_scale_lr.enable', 'train_cfg.by_epoch']
        + ['randomness.deterministic', 'randomness.diff_rank_seed', 'val_cfg.fp16', 'test_cfg.fp16']
        + [f'{loader}.{key}' for loader in _LOADERS for key in ('drop_last', 'persistent_workers', 'pin_memory')],
        _or_none(_is_switch),
        'True or False',
    ),
    (['compile'], _or_none(lambda value: _is_switch(value) or _is_component(value)), 'True, False or a dictionary'),
    (['default_scope'], _or_none(lambda value: isinstance(value, str)), 'the name of a registry or None'),
    (['load_from'], _or_none(lambda value: isinstance(value, str | os.PathLike)), 'the name of a file or None'),
    (['env_cfg.mp_cfg.mp_start_method'], lambda value: value in _METHODS, f'one of {", ".join(_METHODS)}'),
    (['optim_wrapper.optimizer.betas'], _are_numbers, 'a list of numbers, such as (0.9, 0.999)'),
    (
        ['default_hooks.logger.interval', 'default_hooks.logger.interval_exp_name'],
        lambda value: type(value) is int and value >= 1,
        'a whole number of at least 1',
    ),
    ([f'optim_wrapper.optimizer.{name}' for name in ('weight_decay', 'momentum')], _or_none(_is_number), 'a number'),
    (['env_cfg.mp_cfg.opencv_num_threads', 'default_hooks.checkpoint.interval'], _is_whole, 'a whole number'),
]


def check_kinds(cfg: Config) -> None:
    """Refuse a number, a text or None where a config must have a dictionary, a list or a switch.

    Args:
        cfg: A complete config.

    Raises:
        ValueError: If there are such; the message lists all of them, each with its place and what must stand there.
    """
    refuse_faults(
        cfg,
        [
            f'{path} must be {what}, got {value!r:.80}'
            for places, check, what in _KINDS
            for place in places
            for path, value in _values('', cfg, place.split('.'))
            if not check(value)
        ],
    )


def refuse_faults(cfg: Config, faults: list[str]) -> None:
    """Raise an error that lists the faults of a config, if it has any.

    Args:
        cfg: The config.
        faults: The faults, each with its place and the remedy.

    Raises:
        ValueError: If there are faults.
    """
    if faults:
        source = f' in {cfg.filename}' if getattr(cfg, 'filename', None) else ''
        raise ValueError(f'Config keys or values that are wrong{source}: ' + '; '.join(dict.fromkeys(faults)))


def _values(path: str, node: Any, parts: list[str]) -> Iterator[tuple[str, Any]]:
    """What stands at a place; nothing if the config does not go that far."""
    if not parts:
        yield path, node
        return
    part, *rest = parts
    children: dict[Any, Any] = {}
    if part == '#':
        children = dict(enumerate(node)) if isinstance(node, list | tuple) else {}
    elif isinstance(node, Mapping | Config):
        children = dict(node.items()) if part == '*' else {part: node[part]} if part in node else {}
    for key, child in children.items():
        yield from _values(f'{path}.{key}' if path else str(key), child, rest)
