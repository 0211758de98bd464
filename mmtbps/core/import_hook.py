"""Something to do when a package is imported, by whomever."""

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

__all__ = ['when_imported']


def when_imported(name: str, before: Callable[[], None], after: Callable[[], None]) -> None:
    """Do something right before and after the import of a package, or now if it is imported already.

    Args:
        name: Name of a top-level package; if there is none, only ``before`` is called when somebody looks for it.
        before: What to do before; an error fails the import.
        after: What to do after, likewise.
    """
    if name in sys.modules:
        before()
        after()
    else:
        sys.meta_path.insert(0, _Finder(name, before, after))


class _Finder(MetaPathFinder):
    """Finds one package, once, and lets :class:`_Loader` load it."""

    def __init__(self, name: str, before: Callable[[], None], after: Callable[[], None]) -> None:
        self.name, self.before, self.after = name, before, after

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        if fullname != self.name:
            return None
        self.before()
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self.after)
        return spec


class _Loader(Loader):
    """Loads as another loader does, takes itself away, and acts."""

    def __init__(self, loader: Loader, after: Callable[[], None]) -> None:
        self.loader, self.after = loader, after

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        module.__loader__ = self.loader
        self.loader.exec_module(module)
        self.after()
