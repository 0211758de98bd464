"""Checks of a whole config for mistakes that MMEngine ignores or notices late."""

import difflib
import inspect
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from mmengine import dataset as mmengine_datasets
from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.runner import Runner

from mmtbps import registry
from mmtbps.data_configs import registered
from mmtbps.datasets.base import TBPSDataset

from .kind_checks import check_kinds, refuse_faults
from .score_checks import check_scores
from .value_checks import check_values

__all__ = ['MMENGINE_HOOKS', 'TOP_LEVEL_KEYS', 'check_config']

# Names in `default_hooks` that MMEngine fills by itself.
MMENGINE_HOOKS = frozenset({'runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint'})

# Top-level keys that the Runner reads from its config besides its arguments.
_RUNNER_EXTRAS = {
    'activation_checkpointing',
    'compile',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
    'sync_bn',
}
TOP_LEVEL_KEYS = (set(inspect.signature(Runner.__init__).parameters) | _RUNNER_EXTRAS) - {'self', 'cfg'}
"""What the Runner reads of a config."""

# Dictionaries that may have user-defined keys, and the keys with a meaning in them.
_OPEN_DICTS = {
    '': TOP_LEVEL_KEYS,
    'default_hooks': MMENGINE_HOOKS
    | {'epoch_seed', 'dataset_meta', 'fit_weights', 'sync_buffers', 'score_resumed_epoch'}
    | {'finite_loss', 'collapse', 'loader_workers', 'exact_resume', 'terminal'},
    'env_cfg.dist_cfg': {'backend', 'init_backend', 'timeout'},
}
_CLOSED_DICTS = {
    'env_cfg': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
    'env_cfg.mp_cfg': {'mp_start_method', 'opencv_num_threads'},
    'auto_scale_lr': {'base_batch_size', 'enable'},
}
_MMENGINE_WRAPPERS = (
    mmengine_datasets.ConcatDataset, mmengine_datasets.RepeatDataset, mmengine_datasets.ClassBalancedDataset,
)  # fmt: skip
# Keys this similar to a known one are taken for misspelt; variables of a config have other names.
_CUTOFF = 0.8
# Places of components whose builders take nothing out of the config but what stands below.
_WITHOUT_BUILDERS = re.compile(
    r'(model|default_hooks|custom_hooks|param_scheduler|\w+_evaluator)(\.|$)|\w+_dataloader\.sampler$'
)
_OF_BUILDERS = {'type', 'priority', 'convert_to_iter_based', '_scope_'}
# What the builders of optimizers give, not the config.
_GIVEN = {'type', 'params'}


def check_config(cfg: Config) -> None:
    """Refuse misspelt keys, values of another kind, and arguments of one data set that a config passes to another.

    At the top level, in ``default_hooks``, ``env_cfg`` and ``auto_scale_lr``, MMEngine ignores unknown keys. The
    constructor of a component refuses them, but some components are built after hours of training, and some pass
    unknown arguments on. Therefore arguments that are similar to one of the constructor are refused here as well.

    Args:
        cfg: A complete config.

    Raises:
        ValueError: If there are such keys; the message lists all of them, each with the probable name.
    """
    check_kinds(cfg)  # the others look into what it lets pass
    faults: list[str] = []
    for path, known in _OPEN_DICTS.items():
        # What a pure-Python config imports stands among its keys.
        keys = [key for key, value in _node(cfg, path).items() if not callable(value)]
        faults += _near_misses(path, keys, known)
    for path, known in _CLOSED_DICTS.items():
        unknown = [key for key in _node(cfg, path) if key not in known]
        faults += [f'{path}.{key} is unknown; known are {sorted(known)}' for key in unknown]
    # Variables of the file are left alone: what is used of them stands in one of these.
    for path, component in _components('', {key: cfg[key] for key in cfg if key in _OPEN_DICTS['']}):
        faults += _unknown_type(path, component['type'])
        known = _arguments(component['type'])
        misses = list(_near_misses(path, component, known))
        misses = misses or list(_foreign_to_optimizer(path, component, known))
        misses = misses or list(_no_arguments(path, component))
        faults += misses or _inherited_from_another_data_set(path, component, known)
    faults += [*_wrong_kinds(cfg), *check_values(cfg), *check_scores(cfg)]
    refuse_faults(cfg, faults)


def _unknown_type(path: str, name: Any) -> Iterator[str]:
    """A type that no registry has, while one has nearly the same name."""
    if not isinstance(name, str) or '.' in name:
        return
    nodes = [getattr(registry, node) for node in registry.__all__]
    if any(_registered(node, name) is not None for node in nodes):
        return
    names = {other for node in nodes for other in _names(node)}
    close = difflib.get_close_matches(name, names, n=1, cutoff=_CUTOFF)
    if close:
        yield f'{path}.type={name!r} is unknown, did you mean {close[0]!r}?'


def _wrong_kinds(cfg: Config) -> Iterator[str]:
    """Names that decide a component and that MMEngine looks up late, and wrappers that know nothing of identities."""
    optimization = _node(cfg, 'optim_wrapper')
    places = [
        ('optim_wrapper.optimizer.type', _node(cfg, 'optim_wrapper.optimizer').get('type'), registry.OPTIMIZERS),
        ('optim_wrapper.constructor', optimization.get('constructor'), registry.OPTIM_WRAPPER_CONSTRUCTORS),
        ('runner_type', cfg.get('runner_type'), registry.RUNNERS),
    ]
    for path, name, node in places:
        if isinstance(name, str) and _registered(node, name) is None:
            close = difflib.get_close_matches(name.rpartition('.')[2], set(_names(node)), 1)
            hint = f'did you mean {close[0]!r}?' if close else 'import the module that registers it (custom_imports)'
            yield f'{path}={name!r} is unknown, {hint}'
    for path, component in _components('', {key: cfg[key] for key in cfg if key.endswith('_dataloader')}):
        kind = _registered(registry.DATASETS, component['type'])
        if kind in _MMENGINE_WRAPPERS:
            yield (
                f'{path}.type is the {kind.__name__} of MMEngine, which knows nothing of identities and words: take '
                f"type='{kind.__name__}', which is ours"
            )


def _names(node: Registry | None) -> Iterator[str]:
    """Names that a registry and its parents know."""
    while node is not None:
        node.import_from_location()
        yield from node.module_dict
        node = node.parent


def _foreign_to_optimizer(path: str, component: dict, known: Collection[str]) -> Iterator[str]:
    """Arguments that an optimizer does not take: they would be refused after the data are read."""
    if path.endswith('optim_wrapper.optimizer') and known:
        own = ', '.join(sorted(set(known) - _GIVEN))
        for key in component:
            if key not in known and not key.startswith('_'):
                yield f'{path}.{key} is no argument of {component["type"]}; it has {own}'


def _no_arguments(path: str, component: dict) -> Iterator[str]:
    """Arguments that a class does not take, which would be refused after the data are read, without their place."""
    if not _WITHOUT_BUILDERS.match(path):
        return
    walked = [_walk(cls) for cls in _classes(component['type'])]
    if not walked or not all(closed for _, closed in walked):
        return
    known = _OF_BUILDERS.union(*(names for names, _ in walked))
    for key in component:
        if key not in known:
            shown = ', '.join(sorted(known - _OF_BUILDERS))
            yield f'{path}.{key} is no argument of {component["type"]}; it has {shown or "none"}'


def _node(cfg: Config, path: str) -> Any:
    node: Any = cfg
    for part in path.split('.') if path else ():
        node = node.get(part) or {}
        if not isinstance(node, dict):
            raise ValueError(f'Config: {part} of {path} must be a dictionary, got {node!r:.80}.')
    return node


def _registered(node: Registry, name: Any) -> Any:
    """What stands for a type in a registry; None for a name that is none, for which MMEngine raises RuntimeError."""
    if not isinstance(name, str):
        return name
    try:
        return node.get(name) if '.' in name else registered(node, name)  # which does not try to import the name
    except (RuntimeError, TypeError):  # names that begin with a dot are relative imports to MMEngine
        return None


def _near_misses(path: str, keys: Iterable[str], known: Collection[str]) -> Iterator[str]:
    prefix = f'{path}.' if path else ''
    for key in keys:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1, cutoff=_CUTOFF)
            if close:
                yield f'{prefix}{key} is unknown, did you mean {prefix}{close[0]}?'


def _inherited_from_another_data_set(path: str, component: dict, known: Collection[str]) -> Iterator[str]:
    name = component['type']
    dataset = _registered(registry.DATASETS, name)
    if inspect.isclass(dataset) and issubclass(dataset, TBPSDataset):
        for key in component:
            if key not in known and key != '_scope_':
                yield (
                    f"{path}.{key} is no argument of {dataset.__name__}. If another data set's config is the base, "
                    f'inherit from one without {key}, or give the whole dataset anew, with _delete_=True'
                )


def _components(path: str, node: Any) -> Iterator[tuple[str, dict]]:
    """Find every dictionary with a type, and its path."""
    if isinstance(node, dict | Config):
        if path and 'type' in node:
            yield path, node
        children = node.items()
    elif isinstance(node, list | tuple):
        children = enumerate(node)
    else:
        return
    for key, child in children:
        yield from _components(f'{path}.{key}' if path else str(key), child)


def _arguments(name: Any) -> set[str]:
    """Names of the arguments of a class, including those of its bases as far as it passes arguments on.

    The set is empty for a class that is in no registry, such as one of another scope.
    """
    return {name for cls in _classes(name) for name in _walk(cls)[0]}


def _classes(name: Any) -> list[type]:
    """Classes of a name in all registries."""
    nodes = (getattr(registry, node) for node in registry.__all__)
    found = [_registered(node, name) for node in nodes]
    return list(dict.fromkeys(cls for cls in found if inspect.isclass(cls)))


def _walk(cls: type) -> tuple[set[str], bool]:
    """Arguments of a class and of its bases as far as it passes arguments on, and whether those are all."""
    known: set[str] = {'type'}
    for base in cls.__mro__[:-1]:
        if '__init__' not in vars(base):
            continue
        parameters = inspect.signature(vars(base)['__init__']).parameters.values()
        known |= {parameter.name for parameter in parameters} - {'self'}
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            return known, True
    return known, False
