"""Text-based person search for the OpenMMLab family.

Importing the package checks its companions' versions, teaches MMEngine where the package's configs are
(``_base_ = 'mmtbps::...'``) and allow-lists what a resumed checkpoint of MMEngine holds.
"""

from .core.compatibility import check_dependencies

check_dependencies()

from mmengine.config.utils import MODULE2PACKAGE  # noqa: E402

from .core.checkpoint import allow_mmengine_classes  # noqa: E402
from .version import __version__  # noqa: E402

# The value is a module: MMEngine looks for `.mim` beside it, which also finds an editable installation.
MODULE2PACKAGE['mmtbps'] = 'mmtbps.registry'
allow_mmengine_classes()

__all__ = ['__version__']
