"""Reading checkpoints: nothing unsafe is unpickled, and the weights are found in whatever they are wrapped in."""

import os
import re
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__ = [
    'dataset_meta_of',
    'load_checkpoint_file',
    'newest_good',
    'reason_of',
    'unwrap_weights',
    'verify_checksums',
    'weights_key',
]

# Where training code keeps the weights, and where their moving average.
_WEIGHTS = ('state_dict', 'model', 'model_state_dict', 'module')
_AVERAGES = ('ema_state_dict', 'state_dict_ema', 'model_ema', 'ema_model', 'ema')
# What DataParallel and its kin, averaged models and torch.compile put before every name.
_PREFIXES = re.compile(r'^((module|_orig_mod)\.)+')
# What torch lets a module keep beside its tensors.
_NO_TENSOR = '_extra_state'
# Attribute of a member of a zip archive, which torch's checkpoints are.
_FOLDER = 0x10


def load_checkpoint_file(path: str | os.PathLike, map_location: Any = 'cpu') -> dict[str, Any]:
    """Load a checkpoint without running any code that it may carry.

    Args:
        path: File written by ``torch.save``.
        map_location: Device for the tensors. Defaults to ``'cpu'``, since most readers want the meta data only.

    Returns:
        The stored dictionary.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no checkpoint, is cut short or altered, or holds objects other than weights and
            training state. The newest good checkpoint beside it is named.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'There is no checkpoint {path}.')
    try:
        verify_checksums(path)
        return _load(path, map_location)
    except Exception as error:
        other = newest_good(candidate for candidate in path.parent.glob('*.pth') if candidate != path)
        raise ValueError(
            f'{path} cannot be read as a checkpoint of plain weights: {reason_of(error)}. It may be cut short, '
            'altered, of another format, or hold other objects, which are never loaded; '
            + (f'take {other}, which is whole.' if other else 'fetch or make it again.')
        ) from error


def _load(path: Path, map_location: Any = 'cpu', mmap: bool | None = None) -> dict[str, Any]:
    checkpoint = torch.load(path, map_location=map_location, weights_only=True, mmap=mmap)
    if not isinstance(checkpoint, dict):
        raise ValueError(f'it holds a {type(checkpoint).__name__}, not the dictionary of a checkpoint')
    return checkpoint


def verify_checksums(path: str | os.PathLike) -> None:
    """Compare what a checkpoint holds with the checksums that ``torch.save`` writes, which ``torch.load`` ignores.

    Args:
        path: The file. Of the format that torch wrote before version 1.6 there is nothing to compare.

    Raises:
        ValueError: If a part of the file is not what was written.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        # Torch passes over parts that are marked as folders and leaves whatever was in memory in their place.
        marked = next((info.filename for info in archive.infolist() if info.external_attr & _FOLDER), None)
        altered = marked or archive.testzip()
    if altered is not None:
        raise ValueError(f'the checksum of its part {altered} is wrong')


def newest_good(paths: Iterable[Path], resumable: bool = False) -> Path | None:
    """Find the checkpoint that a training wrote last, of those that are whole.

    Args:
        paths: Files to choose from.
        resumable: Whether it must have an optimizer's state, as the best epoch's file has not. Defaults to False.

    Returns:
        The one that was written last, by the time that MMEngine notes in it (a folder may have been copied), then by
        its iterations; None if none is whole.
    """
    found: list[tuple[str, int, int, Path]] = []
    for path in paths:
        try:
            checkpoint = _load(path, mmap=zipfile.is_zipfile(path))  # maps the weights, reads the rest
            if not resumable or 'optimizer' in checkpoint:
                meta = checkpoint.get('meta') or {}
                found.append((str(meta.get('time', '')), int(meta.get('iter', -1)), path.stat().st_mtime_ns, path))
        except Exception:  # damaged files raise errors of many kinds
            continue
    for *_, path in sorted(found, reverse=True):
        try:
            verify_checksums(path)
        except (ValueError, zipfile.BadZipFile):
            continue
        return path
    return None


def dataset_meta_of(checkpoint: Mapping[str, Any], source: str | os.PathLike = 'The checkpoint') -> dict[str, Any]:
    """Read what a checkpoint says of the data that its model was trained on.

    Args:
        checkpoint: What :func:`load_checkpoint_file` returns.
        source: Where it comes from, for messages.

    Returns:
        Its ``['meta']['dataset_meta']``, such as the ``vocabulary`` and the ``person_ids``; empty if it says nothing.

    Raises:
        ValueError: If it says something that is no such list.
    """
    meta = checkpoint.get('meta') or {}
    found = (meta.get('dataset_meta') or {}) if isinstance(meta, Mapping) else meta
    lists = {name: found.get(name) for name in ('vocabulary', 'person_ids')} if isinstance(found, Mapping) else found
    if not isinstance(lists, dict) or not all(isinstance(part, list | tuple | None) for part in lists.values()):
        raise ValueError(
            f"{source}: its ['meta']['dataset_meta'] must be a dictionary with lists as vocabulary and person_ids, as "
            f'training writes it, but is {found!r:.80}.'
        )
    return dict(found)


def unwrap_weights(checkpoint: Mapping[str, Any], source: str = 'The checkpoint') -> dict[str, Any]:
    """Find the weights of a model in a checkpoint, whatever they are wrapped in.

    They may be the checkpoint itself or stand, at any depth, under ``'state_dict'``, ``'model'``,
    ``'model_state_dict'`` or ``'module'``, or under a name of averaged weights (``'ema_state_dict'``,
    ``'model_ema'``, ...) where there are no others. Of MMEngine's ``'state_dict'`` and ``'ema_state_dict'`` the first
    is taken, since its EMAHook puts the averaged weights there. Any number of ``module.`` and ``_orig_mod.`` before a
    name goes.

    Args:
        checkpoint: What :func:`load_checkpoint_file` returns.
        source: Where it comes from, for messages.

    Returns:
        A new dictionary of weights by name, with the versions of modules that torch attaches to a state dict.

    Raises:
        ValueError: If there are no weights or several sets of them, if two names are one without their prefixes, or if
            something among the weights is no tensor.
    """
    weights = checkpoint
    while (key := weights_key(weights, source)) is not None:
        weights = weights[key]
    found: OrderedDict[str, Any] = OrderedDict()
    for name, value in weights.items():
        plain = _PREFIXES.sub('', str(name))
        if plain in found:
            raise ValueError(f'{source} has {plain} twice, with and without a prefix such as "module."; drop one.')
        found[plain] = value
    others = [name for name, value in found.items() if not (isinstance(value, Tensor) or name.endswith(_NO_TENSOR))]
    if others or not found:
        what = f'{[name[:80] for name in others[:3]]} are no tensors' if others else 'it is empty'
        raise ValueError(
            f'{source} holds no plain weights: {what}. Known are a state dict, and one that stands under '
            f'{", ".join(map(repr, _WEIGHTS))}.'
        )
    # Versions of modules, by which torch reads weights that older code has written.
    versions = getattr(weights, '_metadata', {})
    versions = {_PREFIXES.sub('', f'{name}.').removesuffix('.'): version for name, version in versions.items()}
    found._metadata = versions  # type: ignore[attr-defined]
    return found


def weights_key(checkpoint: Mapping[str, Any], source: str = 'The checkpoint') -> str | None:
    """Name the entry of a checkpoint that :func:`unwrap_weights` goes into.

    Args:
        checkpoint: What :func:`load_checkpoint_file` returns.
        source: Where it comes from, for messages.

    Returns:
        The key, or None if the weights are not wrapped.

    Raises:
        ValueError: If there are several sets of weights.
    """
    found = [key for key in (*_WEIGHTS, *_AVERAGES) if _holds_weights(checkpoint.get(key))]
    if found == ['state_dict', 'ema_state_dict']:
        found.pop()
    if len(found) > 1:
        raise ValueError(
            f'{source} holds several sets of weights: {", ".join(found)}. Save the one that is meant as '
            "dict(state_dict=...), beside its 'meta'."
        )
    return found[0] if found else None


def _holds_weights(value: Any) -> bool:
    """Whether there are tensors in it, or something that holds them."""
    return isinstance(value, Mapping) and any(
        isinstance(part, Tensor) or (key in (*_WEIGHTS, *_AVERAGES) and _holds_weights(part))
        for key, part in value.items()
    )


def reason_of(error: BaseException) -> str:
    """First sentence of the error that others were raised from; torch's own then advises to load unsafely.

    Of several lines, such as torch's on wrong arguments, it is in the first.

    Args:
        error: What a reader of files has raised.

    Returns:
        The sentence without its full stop, or the kind of the error if it says nothing.
    """
    while earlier := error.__cause__ or (error.__context__ if error.__suppress_context__ else None):
        error = earlier
    first = str(error).strip().partition('\n')[0]
    return first.partition('. ')[0].rstrip('.:') or type(error).__name__
