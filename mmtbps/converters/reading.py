"""Reading checkpoints of other code bases without running what they may carry."""

import pickle
import tarfile
import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from mmtbps.core.checkpoint import reason_of, unwrap_weights, verify_checksums
from mmtbps.models.clip.torchscript_archive import is_torchscript, read_torchscript_weights

__all__ = ['find_file', 'load_plain', 'read_weights']

_IN_FOLDER = ('open_clip_model.safetensors', 'open_clip_pytorch_model.bin')
_ZIP = b'PK'
# What Lightning and trainings around a CLIP model put before every name.
_WRAPPERS = ('model.', 'clip_model.')
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
        state = _read(path, load_file)
    elif is_torchscript(path):
        state = _read(path, read_torchscript_weights)
    else:
        state = _read(path, _load_dictionary)
    weights = _without_prefix(unwrap_weights(state, str(path)))
    return {name: _single(value) for name, value in weights.items()}


def load_plain(path: Path) -> Any:
    """Load what ``torch.save`` has written of tensors and plain values, without torch's warnings about its format.

    Raises:
        Exception: Of many kinds, if the file is damaged, of another format, or holds anything else.
    """
    _require_format(path)
    verify_checksums(path)
    with warnings.catch_warnings(), torch.serialization.safe_globals(_DICTIONARIES):
        warnings.simplefilter('ignore')
        return torch.load(path, map_location='cpu', weights_only=True)


def _load_dictionary(path: Path) -> dict[str, Any]:
    content = load_plain(path)
    if not isinstance(content, dict):
        raise ValueError(f'it holds a {type(content).__name__}, not the dictionary of a checkpoint')
    return content


def _require_format(path: Path) -> None:
    """Refuse what torch would stumble over somewhere in the middle: text, archives, an empty file."""
    with open(path, 'rb') as file:
        start = file.read(len(_ZIP))
    if not start:
        raise ValueError('it is empty')
    if not start.startswith((_ZIP, pickle.PROTO)):
        is_archive = tarfile.is_tarfile(path)
        raise ValueError(
            'it is an archive, of which one file is meant: unpack it' if is_archive else 'torch.save has not written it'
        )


def _read(path: Path, reader: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    try:
        return reader(path)
    except Exception as error:  # readers raise errors of many kinds on damaged files
        raise ValueError(
            f'{path} cannot be read as weights: {reason_of(error)}. It may be cut short, altered, of another format, '
            'or hold other objects, which are never loaded; fetch or make it again.'
        ) from error


def _without_prefix(weights: dict[str, Any]) -> dict[str, Any]:
    """Take off what a training wrapper puts before every name."""
    for prefix in _WRAPPERS:
        if all(name.startswith(prefix) for name in weights):
            return _without_prefix({name.removeprefix(prefix): value for name, value in weights.items()})
    return weights


def _single(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() and value.itemsize < 4 else value
