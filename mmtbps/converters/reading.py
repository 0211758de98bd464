"""Reading checkpoints of other code bases without running what they may carry."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from mmtbps.core.checkpoint import load_checkpoint_file, reason_of, unwrap_weights
from mmtbps.models.clip.torchscript_archive import is_torchscript, read_torchscript_weights

__all__ = ['find_file', 'read_weights']

_IN_FOLDER = ('open_clip_model.safetensors', 'open_clip_pytorch_model.bin')
# Classes that are dictionaries with another name: their content is read into a plain one.
_DICTIONARIES: list[Any] = [(OrderedDict, 'easydict.EasyDict')]


def find_file(source: str | Path) -> Path:
    """Find the file that is meant by a path, by open_clip's ``local-dir:FOLDER``, or by the folder of a model.

    Raises:
        FileNotFoundError: If there is none.
    """
    path = Path(str(source).removeprefix('local-dir:'))
    if path.is_dir():
        found = next((path / name for name in _IN_FOLDER if (path / name).is_file()), None)
        if found is None:
            raise FileNotFoundError(
                f'The folder {path} has no {" or ".join(_IN_FOLDER)}, as open_clip calls it; name the file itself.'
            )
        return found
    if not path.is_file():
        raise FileNotFoundError(f'There is no file {path}.')
    return path


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the weights of a file: safetensors, OpenAI's TorchScript archives, whatever ``torch.save`` wrote of weights.

    Args:
        path: The file.

    Returns:
        Weights by name without wrappers' prefixes, in single precision (half is promoted, double stays).

    Raises:
        ValueError: If it is none of these, is damaged, or holds more than weights and plain values.
    """
    if path.suffix == '.safetensors':
        state: dict[str, Any] = _read(path, load_file)
    elif is_torchscript(path):
        state = _read(path, read_torchscript_weights)
    else:
        with torch.serialization.safe_globals(_DICTIONARIES):
            state = load_checkpoint_file(path)
    weights = unwrap_weights(state, str(path))
    return {name: _single(value) for name, value in weights.items()}


def _read(path: Path, reader: Any) -> dict[str, Any]:
    try:
        return reader(path)
    except Exception as error:  # readers raise errors of many kinds on damaged files
        raise ValueError(f'{path} cannot be read: {reason_of(error)}. Fetch it again.') from error


def _single(value: Tensor) -> Tensor:
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
