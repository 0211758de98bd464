"""Reading checkpoints: nothing unsafe is unpickled."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

__all__ = ['allow_mmengine_classes', 'load_checkpoint_file', 'reason_of']

_HISTORY_STATISTICS = frozenset({'current', 'max', 'mean', 'min'})


def _history_getattr(owner: Any, name: str) -> Any:
    """Stand in for ``getattr`` while unpickling; it gives HistoryBuffer's own statistics and nothing else.

    MMEngine's checkpoints name these four methods through the builtin, which would give access to any object
    if it were allow-listed itself.
    """
    if owner is HistoryBuffer and name in _HISTORY_STATISTICS:
        return getattr(HistoryBuffer, name)
    raise pickle.UnpicklingError(f'The checkpoint asks for attribute {name!r} of {owner!r}, which is refused.')


def allow_mmengine_classes() -> None:
    """Allow-list the classes of MMEngine's training state for ``torch.load(..., weights_only=True)``."""
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


def load_checkpoint_file(path: str | os.PathLike, map_location: str = 'cpu') -> dict[str, Any]:
    """Load a checkpoint without running any code that it may carry.

    Args:
        path: File written by ``torch.save``.
        map_location: Device for the tensors. Defaults to ``'cpu'``, since most readers want the meta data only.

    Returns:
        The stored dictionary.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no checkpoint, is cut short, or holds objects other than weights and training state.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'There is no checkpoint {path}.')
    try:
        checkpoint = torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:
        raise ValueError(
            f'{path} cannot be read as a checkpoint of plain weights: {reason_of(error)}. It may be cut short, of '
            'another format, or hold other objects, which are never loaded; fetch or make it again.'
        ) from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f'{path} holds a {type(checkpoint).__name__}, not the dictionary of a checkpoint.')
    return checkpoint


def reason_of(error: BaseException) -> str:
    """First sentence of the error that others were raised from; torch's own then advises to load unsafely.

    Args:
        error: What a reader of files has raised.

    Returns:
        The sentence without its full stop, or the kind of the error if it says nothing.
    """
    while earlier := error.__cause__ or (error.__context__ if error.__suppress_context__ else None):
        error = earlier
    return str(error).partition('. ')[0].rstrip('.') or type(error).__name__
