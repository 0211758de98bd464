"""Configs as data: a gallery or an exported model says what to build, and nothing it says is imported or run."""

import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from mmengine.registry import Registry

from mmtbps.core.images import MAX_PIXELS
from mmtbps.core.own_modules import own_modules

__all__ = ['ConfigReader', 'config_to_data', 'module_to_trust', 'modules_of', 'registered']

_FAMILY = frozenset({'mmcv', 'mmengine', 'mmpretrain', 'mmtbps', 'torch', 'torchvision'})
# Classes of these would fetch code and weights by a name.
_FETCHING = ('mmpretrain.models.classifiers.hugging_face', 'mmpretrain.models.multimodal', 'transformers')
# What config files may hold, and arguments by which classes of the libraries below load code or weights.
_REFUSED = frozenset({'checkpoint_path', 'custom_imports', 'trust_remote_code'})
_ADDRESS = re.compile(r'[A-Za-z][\w+.-]+:\S')
_MODULE = re.compile(r'[^\W\d]\w*(\.[^\W\d]\w*)*')
_MAX_DEPTH, _MAX_VALUES = 64, 100_000
# Of models: their numbers are sizes and counts, except seeds.
_MAX_SIZE = 2**24
# What transforms call the size of the images that they give.
_IMAGE_SIZES = frozenset({'crop_size', 'scale', 'size'})


def registered(registry: Registry, name: str) -> Any | None:
    """Look up what :meth:`Registry.get` finds by a registered name; unlike that, import nothing for a dotted name.

    Args:
        registry: The registry; its parents are searched too.
        name: The name, with or without a scope in front.

    Returns:
        The class or function, or None if there is none of this name.
    """
    scope, key = registry.split_scope_key(name)
    registry.import_from_location()
    if scope is None:
        return next((node.module_dict[key] for node in _upwards(registry) if key in node.module_dict), None)
    if scope == registry.scope:
        return registry.module_dict.get(key)
    root = registry.root
    if scope == root.scope:
        return root.module_dict.get(key)
    node = registry.children.get(scope, root.children.get(scope))  # one that is still empty is false
    return None if node is None or '.' in key else registered(node, key)


def _upwards(registry: Registry | None) -> Iterator[Registry]:
    while registry is not None:
        yield registry
        registry = registry.parent


def module_to_trust(kind: Any) -> set[str]:
    """Name the module that has to be imported for a class; empty for the libraries that mmtbps itself needs."""
    module = str(getattr(kind, '__module__', ''))
    known = module.split('.')[0] in _FAMILY or module in ('__main__', 'builtins', 'functools', '')
    return set() if known else {module}


def config_to_data(config: Any, registry: Registry, place: str) -> tuple[Any, set[str]]:
    """Write a config as values of JSON.

    Types become registered names, or ``module.Class`` for classes that are not registered, however the config names
    them: as a class, with a scope, or as MMEngine dumps it. Equal configs therefore give equal data. Weights to start
    from are left out, since those that were learnt replace them: ``init_cfg`` goes, and ``pretrained`` becomes False.

    Args:
        config: The config, whose types are those that ``registry`` builds under the current default scope.
        registry: Registry of the outermost type, a node of mmtbps.
        place: Name of the config for messages.

    Returns:
        The data, and names of the modules that define the classes; see :func:`module_to_trust`.

    Raises:
        TypeError: If the config holds something that JSON has no word for.
        ValueError: If a type is not known.
    """
    modules: set[str] = set()

    def written(value: Any, place: str) -> Any:
        if isinstance(value, Mapping):
            scope = value.get('_scope_')
            if not isinstance(scope, str | None):
                raise TypeError(f'{place}._scope_ must be the name of a scope, got {scope!r:.80}.')
            return {
                _key(key, place): kind_written(part, scope, place)
                if key == 'type'
                else written(part and False if key == 'pretrained' else part, f'{place}.{key}')
                for key, part in value.items()
                if key not in ('_scope_', 'init_cfg')
            }
        if isinstance(value, list | tuple):
            return [written(part, f'{place}[{number}]') for number, part in enumerate(value)]
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise TypeError(
            f'{place} is {value!r:.80}, which cannot be kept with a gallery or an exported model: beside types, their '
            'configs hold numbers, strings, lists and dictionaries. Let the class take a name instead.'
        )

    def kind_written(kind: Any, scope: str | None, place: str) -> str:
        found = _found(kind, scope, registry, place)
        modules.update(module_to_trust(found))
        if isinstance(kind, str) and '.' not in kind and registered(registry, kind) is found:
            return kind  # of several names it keeps the one that it has
        return _name(found, registry, place)

    return written(config, place), modules


def _key(key: Any, place: str) -> str:
    if not isinstance(key, str):
        raise TypeError(
            f'{place} has the key {key!r:.80}; keys that are kept with a gallery or export must be strings.'
        )
    return key


def _found(kind: Any, scope: str | None, registry: Registry, place: str) -> Any:
    """What MMEngine would build. The config is the user's own, so that it may import."""
    if not isinstance(kind, str):
        return kind
    with registry.switch_scope_and_registry(scope) as node:
        try:
            found = node.get(kind)
        except RuntimeError:  # MMEngine's word for a name that is none
            found = None
    if found is None:
        raise ValueError(f'{place}.type is {kind!r:.80}, which is not in the registry {registry.name!r}. Register it.')
    return found


def _name(found: Any, registry: Registry, place: str) -> str:
    registry.import_from_location()
    for node in [*_upwards(registry), *registry.children.values(), *registry.root.children.values()]:
        for name, kind in node.module_dict.items():
            for full in (name, f'{node.scope}.{name}'):
                if kind is found and registered(registry, full) is found:
                    return full
    name = f'{getattr(found, "__module__", "")}.{getattr(found, "__qualname__", "")}'
    if not isinstance(found, type) or not _MODULE.fullmatch(name):
        raise ValueError(f'{place}.type is {found!r:.80}, neither registered nor a class of a module. Register it.')
    return name


class ConfigReader:
    """Reads configs that come from a file of data, such as ``index.json``.

    Modules that the file names are imported only if they are trusted. One that is imported already needs no trust.

    Args:
        source: The file, for messages.
        modules: Modules that the file says its classes are from.
        trusted: Modules that may be imported, with all inside them; they are imported now. Defaults to none.

    Raises:
        ImportError: If a trusted module cannot be imported.
        ValueError: If a module is not trusted, or ``modules`` are not names of modules.
    """

    def __init__(self, source: str, modules: Any = (), trusted: Sequence[str] = ()) -> None:
        if not isinstance(modules, list | tuple) or not all(_is_module(name) for name in modules):
            raise ValueError(f'{source}: modules must be a list of names of modules, got {modules!r:.80}.')
        self.source = source
        self.modules = list(modules)
        self.trusted = (trusted,) if isinstance(trusted, str) else tuple(trusted)
        for name in modules:
            if name not in sys.modules and not self._trusts(name):
                raise ValueError(
                    f'{source} needs classes of the module {name}. Importing a module runs its code, which data may '
                    f"not ask for; if you trust it, say so: --trust {name} (trusted_modules=['{name}'])."
                )
        for name in dict.fromkeys([*self.trusted, *filter(self._trusts, modules)]):
            try:
                with own_modules():
                    import_module(name)
            except ImportError as error:
                raise ImportError(
                    f'The trusted module {name} cannot be imported ({error}). Install it, or name its folder in '
                    'PYTHONPATH.'
                ) from error

    def read(self, value: Any, registry: Registry, place: str, sizes: bool = False) -> Any:
        """Check a config.

        Args:
            value: What JSON gave.
            registry: Registry in which all of its types must be.
            place: Name of the config in the file, for messages.
            sizes: Whether its whole numbers are sizes and counts, as those of models are, of which none is above
                2^24. Defaults to False: any numbers.

        Returns:
            A copy without ``init_cfg``, which names initial weights.

        Raises:
            ValueError: If a type is not registered, or the config holds what only config files may hold, an address, or
                more than any model needs.
        """
        left = iter(range(_MAX_VALUES))

        def checked(value: Any, place: str, depth: int) -> Any:
            if depth > _MAX_DEPTH or next(left, None) is None:
                raise ValueError(
                    f'{self.source}: {place} is part of a config of more than {_MAX_DEPTH} levels or {_MAX_VALUES} '
                    'values, which is none of a model.'
                )
            if isinstance(value, Mapping):
                kept = {key: part for key, part in value.items() if key != 'init_cfg'}
                for key, part in kept.items():
                    self._check_entry(key, part, registry, place)
                return {key: checked(part, f'{place}.{key}', depth + 1) for key, part in kept.items()}
            if isinstance(value, list | tuple):
                return [checked(part, f'{place}[{number}]', depth + 1) for number, part in enumerate(value)]
            if isinstance(value, str) and _ADDRESS.match(value):
                raise ValueError(
                    f'{self.source}: {place} is the address {value!r:.80}; those in data are not followed.'
                )
            if sizes and isinstance(value, int) and value > _MAX_SIZE and not place.endswith('seed'):
                raise ValueError(f'{self.source}: {place} is {value}, which is no size of a model: above {_MAX_SIZE}.')
            if value is None or isinstance(value, bool | int | float | str):
                return value
            raise ValueError(
                f'{self.source}: {place} is {value!r:.80}, but data hold numbers, strings, lists and objects.'
            )

        return checked(value, place, 0)

    def find(self, name: Any, registry: Registry, place: str) -> Any:
        """Look up a type.

        Args:
            name: The name: a registered one, or ``module.Class`` of a trusted module.
            registry: The registry.
            place: Name of the config in the file, for messages.

        Raises:
            ValueError: If there is none of this name.
        """
        found = None
        if isinstance(name, str):
            found = registered(registry, name) or self._class_of_trusted_module(name)
        if found is None or str(getattr(found, '__module__', '')).startswith(_FETCHING):
            raise ValueError(
                f'{self.source}: {place}.type is {name!r:.80}, which is no registered {registry.name} that data may '
                'name. If it is a class of your own, import its module first: --trust MODULE (trusted_modules=[...]).'
            )
        return found

    @contextmanager
    def building(self, place: str, own: Sequence[str] = ()) -> Iterator[None]:
        """Name the file where a class does not take what the data say; what it raises then has no common kind.

        Args:
            place: Name of the config in the file, for messages.
            own: What the user has given beside the file, in words of messages, such as ``'device banana'``: errors
                that name it are not the file's. Defaults to nothing.

        Raises:
            ValueError: Instead of errors that do not name the file; missing files and packages are no errors of it.
        """
        try:
            yield
        except Exception as error:
            if isinstance(error, ImportError | OSError) or any(name in str(error) for name in (self.source, *own)):
                raise
            reason = ' '.join(str(error).split())
            raise ValueError(f'{self.source}: {place} cannot be built from it ({reason:.500}).') from error

    def _check_entry(self, key: Any, value: Any, registry: Registry, place: str) -> None:
        if key == 'type':
            self.find(value, registry, place)
        if key in _IMAGE_SIZES and _pixels(value) > MAX_PIXELS:
            raise ValueError(f'{self.source}: {place}.{key} is {value!r:.80}, which is no size of an image.')
        # MMPretrain evaluates the name of a dtype as Python.
        suspicious = key == 'dtype' and isinstance(value, str) and not value.isidentifier()
        loading = key == 'pretrained' and value not in (None, False)
        if not isinstance(key, str) or key.startswith('_') or key in _REFUSED or suspicious or loading:
            raise ValueError(
                f'{self.source}: {place}.{key} is {str(value)[:80]!r}, which is refused: data may neither import, load '
                'nor evaluate anything.'
            )

    def _trusts(self, module: str) -> bool:
        return any(module == name or module.startswith(f'{name}.') for name in self.trusted)

    def _class_of_trusted_module(self, name: str) -> type | None:
        module, _, attribute = name.rpartition('.')
        found = getattr(import_module(module), attribute, None) if self._trusts(module) else None
        return found if isinstance(found, type) else None


def _pixels(size: Any) -> float:
    """Pixels of a size of an image: width and height, or one edge; 0 of what is neither."""
    edges = size if isinstance(size, list | tuple) else [size, size]
    return math.prod(edge for edge in edges if isinstance(edge, int | float))


def _is_module(name: Any) -> bool:
    return isinstance(name, str) and _MODULE.fullmatch(name) is not None


def modules_of(imports: str | Iterable[str] | None, modules: Iterable[str]) -> list[str]:
    """Join ``custom_imports.imports`` of a config and the modules of its classes, without those inside others."""
    names = {*([imports] if isinstance(imports, str) else imports or ()), *modules}
    return sorted(name for name in names if not any(name.startswith(f'{other}.') for other in names))
