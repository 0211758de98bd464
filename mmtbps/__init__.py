"""Text-based person search for the OpenMMLab family.

Importing the package teaches MMEngine where the package's configs are (``_base_ = 'mmtbps::...'``), allow-lists what a
resumed checkpoint of MMEngine holds, and checks its companions' versions: at once if MMEngine is imported already, else
when it is, so that the command ``mmtbps`` answers before torch is loaded.
"""

from typing import Any

from .core.import_hook import when_imported
from .version import __version__

__all__ = ['__version__', 'get_model', 'list_models']


def _check_companions() -> None:
    from .core.compatibility import check_dependencies

    check_dependencies()


def _teach_mmengine() -> None:
    from mmengine.config.utils import MODULE2PACKAGE

    from .core.training_state import allow_mmengine_classes

    # The value is a module: MMEngine looks for `.mim` beside it, which also finds an editable installation.
    MODULE2PACKAGE['mmtbps'] = 'mmtbps.registry'
    allow_mmengine_classes()


def __getattr__(name: str) -> Any:
    if name in ('get_model', 'list_models'):
        from .apis import models

        return getattr(models, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


when_imported('mmengine', _check_companions, _teach_mmengine)
