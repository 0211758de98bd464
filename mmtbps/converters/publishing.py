"""Checkpoints as they are handed to others: what inference needs, and a name that tells whether they arrived whole."""

import hashlib
import io
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmtbps.core.checkpoint import load_checkpoint_file, unwrap_weights, weights_key
from mmtbps.core.files import write_atomically
from mmtbps.models import DualStreamRetriever

__all__ = ['Published', 'publish_checkpoint']


@dataclass(frozen=True)
class Published:
    """A published checkpoint.

    Args:
        path: The file.
        left_out: Weights and other entries of the original that it lacks.
        absent: Encoders of which the original has no weights.
    """

    path: Path
    left_out: tuple[str, ...]
    absent: tuple[str, ...]


def publish_checkpoint(
    source: str | Path, target: str | Path, encoders: Sequence[str] = DualStreamRetriever.encoders
) -> Published:
    """Write the encoders' weights and the metadata of a checkpoint, and nothing else.

    Heads, queues, momentum keys and the state of the training stay behind. Test, search, export and ``load_from`` take
    the result like the original; no run can be resumed from it.

    Args:
        source: File of the checkpoint.
        target: What the file shall be called. Before ``.pth`` comes the beginning of its SHA-256, eight digits, as
            is usual with OpenMMLab: ``model.pth`` becomes ``model-0123abcd.pth``.
        encoders: Parts whose weights to keep. Defaults to those of :class:`~mmtbps.models.DualStreamRetriever`; a
            retriever with others names them as its ``encoders``.

    Returns:
        Where it is and what it lacks.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If it is no checkpoint of plain weights, or has none of the encoders.
    """
    checkpoint = load_checkpoint_file(source)
    weights = unwrap_weights(checkpoint, str(source))
    parts = Counter(name.split('.')[0] for name in weights)
    if not set(encoders) & set(parts):
        raise ValueError(
            f'{source} has no weights of {", ".join(encoders)}; its own are of {", ".join(sorted(parts))}. Convert it '
            'first if it is of another code base, or name the encoders that it has.'
        )
    buffer = io.BytesIO()
    torch.save(dict(meta=checkpoint.get('meta', {}), state_dict=_only(weights, encoders)), buffer)
    content = buffer.getvalue()
    target = Path(target)
    path = target.with_name(f'{target.name.removesuffix(".pth")}-{hashlib.sha256(content).hexdigest()[:8]}.pth')
    write_atomically(path, content)
    key = weights_key(checkpoint, str(source))
    entries = [] if key is None else [name for name in checkpoint if name not in (key, 'meta')]
    return Published(
        path,
        (*(f'{part} ({count})' for part, count in parts.items() if part not in encoders), *entries),
        tuple(name for name in encoders if name not in parts),
    )


def _only(weights: dict[str, Any], encoders: Sequence[str]) -> dict[str, Any]:
    """Weights of the encoders, and the versions of their modules."""

    def kept(items: Mapping[str, Any]) -> OrderedDict[str, Any]:
        return OrderedDict((name, value) for name, value in items.items() if name.split('.')[0] in encoders)

    result = kept(weights)
    result._metadata = kept(weights._metadata)  # type: ignore[attr-defined]
    # A view would take along all of what it is a view of.
    result.update((name, value.clone()) for name, value in result.items() if isinstance(value, Tensor))
    return result
