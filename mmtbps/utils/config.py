"""Checks of a whole config, for what MMEngine passes over without a word."""

import difflib
import inspect
from collections.abc import Iterable

from mmengine.config import Config
from mmengine.runner import Runner

__all__ = ['check_config']

# Top-level keys that Runner reads from its config besides its arguments.
_RUNNER_EXTRAS = {
    'activation_checkpointing',
    'compile',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
    'sync_bn',
}
_RUNNER_KEYS = (set(inspect.signature(Runner.__init__).parameters) | _RUNNER_EXTRAS) - {'self', 'cfg'}
_DEFAULT_HOOKS = {'runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint'}
_CLOSED_DICTS = {
    'env_cfg': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
    'env_cfg.mp_cfg': {'mp_start_method', 'opencv_num_threads'},
    'auto_scale_lr': {'base_batch_size', 'enable'},
}
# So close that it is a slip of the pen; a config's own variables have names of their own.
_CUTOFF = 0.85


def check_config(cfg: Config) -> None:
    """Refuse keys that have no effect because they are misspelt.

    A component's own arguments are checked by its constructor. This covers the places where MMEngine ignores an
    unknown key or takes it for something new: the top level, ``default_hooks``, ``env_cfg`` and ``auto_scale_lr``.

    Args:
        cfg: A complete config.

    Raises:
        ValueError: If there are such keys; all of them are listed, each with the name that was probably meant.
    """
    faults = list(_near_misses('', cfg, _RUNNER_KEYS))
    faults += _near_misses('default_hooks.', cfg.get('default_hooks') or {}, _DEFAULT_HOOKS)
    for path, known in _CLOSED_DICTS.items():
        node = cfg
        for part in path.split('.'):
            node = node.get(part) or {}
        faults += [f'{path}.{key} is unknown; known are {sorted(known)}' for key in node if key not in known]
    if faults:
        source = f' in {cfg.filename}' if getattr(cfg, 'filename', None) else ''
        raise ValueError(f'Config keys without effect{source}: ' + '; '.join(faults) + '.')


def _near_misses(prefix: str, keys: Iterable[str], known: set[str]) -> Iterable[str]:
    for key in keys:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1, cutoff=_CUTOFF)
            if close:
                yield f'{prefix}{key} is unknown, did you mean {prefix}{close[0]}?'
