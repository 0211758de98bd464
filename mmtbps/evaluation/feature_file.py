"""Features of a test as a file, with their origin."""

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmtbps.core.files import write_atomically
from mmtbps.core.json_text import parse_json

from .directions import Direction, both_directions

__all__ = ['Features', 'load_features', 'save_features']

_TENSORS = ('image_feats', 'image_pids', 'text_feats', 'text_images')


class Features(NamedTuple):
    """Features of all images and captions of a split, in data set order.

    Attributes:
        image_feats: Embeddings of the images (G, D) float32, not normalised.
        image_pids: Person ids of the images (G,) int64.
        image_paths: Files of the G images.
        text_feats: Embeddings of the captions (Q, D) float32, not normalised.
        captions: The Q captions.
        text_images: Row of the image that each caption describes (Q,) int64.
        meta: Model, checkpoint, config and data set of the features, as far as known.
    """

    image_feats: Tensor
    image_pids: Tensor
    image_paths: list[str]
    text_feats: Tensor
    captions: list[str]
    text_images: Tensor
    meta: dict[str, Any]

    @property
    def data_digest(self) -> str:
        """Hash of persons and captions: equal for tests of the same data with any model and in any folder."""
        content = [self.image_pids.tolist(), self.text_images.tolist(), self.captions]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    def directions(self) -> dict[str, Direction]:
        """Queries and gallery of ``t2i`` and ``i2t``."""
        return both_directions(self.image_feats, self.image_pids, self.text_feats, self.text_images)


def save_features(path: str | os.PathLike, features: Features) -> None:
    """Write features to one ``.npz`` file, atomically.

    Args:
        path: The file.
        features: The features; ``data_digest`` is added to ``meta``.
    """
    meta = dict(features.meta, data_digest=features.data_digest)
    arrays: dict[str, Any] = {
        **{name: value.numpy() for name, value in features._asdict().items() if isinstance(value, Tensor)},
        'image_paths': np.array(features.image_paths, dtype=np.str_),
        'captions': np.array(features.captions, dtype=np.str_),
        'meta': np.array(json.dumps(meta)),
    }
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomically(path, buffer.getvalue())


def load_features(path: str | os.PathLike) -> Features:
    """Read a file of :func:`save_features`; nothing in it is unpickled.

    Args:
        path: The file, as ``mmtbps test --dump`` writes it.

    Returns:
        The features.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is not a file of features, is cut short, or its parts do not fit each other.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'There is no file {path}; write one with mmtbps test --dump.')
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in Features._fields}
        features = Features(
            **{name: torch.from_numpy(arrays[name]) for name in _TENSORS},
            image_paths=arrays['image_paths'].tolist(),
            captions=arrays['captions'].tolist(),
            meta=dict(parse_json(str(arrays['meta']), finite=False)),
        )
        fits = _fits(features)
    except Exception as error:  # readers raise errors of many kinds on damaged files
        reason = ' '.join(str(error).split())
        raise ValueError(f'{path} is not a file of mmtbps test --dump ({reason}); write it again.') from error
    if not fits:
        raise ValueError(f'{path} was changed after it was written: its parts do not fit each other; write it again.')
    return features


def _fits(features: Features) -> bool:
    """Whether all parts have the shapes and kinds that belong together, and are those of which the digest was taken."""
    images, texts = len(features.image_feats), len(features.text_feats)
    shapes = [tuple(getattr(features, name).shape) for name in _TENSORS]
    width = features.image_feats.shape[1:]
    rows = features.text_images
    return (
        shapes == [(images, *width), (images,), (texts, *width), (texts,)]
        and len(width) == 1
        and (len(features.image_paths), len(features.captions)) == (images, texts)
        and all(getattr(features, name).dtype == torch.float32 for name in ('image_feats', 'text_feats'))
        and all(getattr(features, name).dtype == torch.int64 for name in ('image_pids', 'text_images'))
        and bool(((rows >= 0) & (rows < images)).all())
        and features.meta.get('data_digest') == features.data_digest
    )
