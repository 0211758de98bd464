"""What torch may unpickle beside tensors: the classes of MMEngine's training state.

MMEngine is imported inside functions, since its import calls them.
"""

import pickle
from typing import Any

import numpy as np
import torch

__all__ = ['allow_mmengine_classes']

_HISTORY_STATISTICS = frozenset({'current', 'max', 'mean', 'min'})


def _history_getattr(owner: Any, name: str) -> Any:
    """Stand in for ``getattr`` while unpickling; it gives HistoryBuffer's own statistics and nothing else.

    MMEngine's checkpoints name these four methods through the builtin, which would give access to any object
    if it were allow-listed itself.
    """
    from mmengine.logging import HistoryBuffer

    if owner is HistoryBuffer and name in _HISTORY_STATISTICS:
        return getattr(HistoryBuffer, name)
    raise pickle.UnpicklingError(f'The checkpoint asks for attribute {name!r} of {owner!r}, which is refused.')


def allow_mmengine_classes() -> None:
    """Allow-list the classes of MMEngine's training state for ``torch.load(..., weights_only=True)``."""
    from mmengine.logging import HistoryBuffer

    reconstruct: Any = np.empty(0).__reduce__()[0]
    scalar: Any = np.float64(0).__reduce__()[0]
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            (_history_getattr, 'builtins.getattr'),
            np.ndarray,
            np.dtype,
            *(type(np.dtype(kind)) for kind in ('f4', 'f8', 'i4', 'i8', 'u1', 'b1')),
            # numpy 1 and numpy 2 name the same functions differently; a checkpoint may come from either.
            *((reconstruct, f'numpy.{core}.multiarray._reconstruct') for core in ('core', '_core')),
            *((scalar, f'numpy.{core}.multiarray.scalar') for core in ('core', '_core')),
        ]
    )
