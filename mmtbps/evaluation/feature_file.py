"""The features of a test as a file, which says what made it."""

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

from .directions import Direction, both_directions

__all__ = ['Features', 'load_features', 'save_features']


class Features(NamedTuple):
    """All images of a split and their captions, in data set order.

    ``image_feats`` (G, D) and ``text_feats`` (Q, D) float32 are as the model gives them, not normalised;
    ``image_pids`` (G,) int64; ``image_paths`` G and ``captions`` Q texts; ``text_images`` (Q,) int64, the row of each
    caption's own image. ``meta`` says which model, checkpoint, config and data set made them.
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
        """Fingerprint of persons and captions: equal for tests of the same data, whatever the model or the folder."""
        content = [self.image_pids.tolist(), self.text_images.tolist(), self.captions]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    def directions(self) -> dict[str, Direction]:
        """Queries and gallery of ``t2i`` and ``i2t``."""
        return both_directions(self.image_feats, self.image_pids, self.text_feats, self.text_images)


def save_features(path: str | os.PathLike, features: Features) -> None:
    """Write features to one ``.npz`` file, atomically.

    Args:
        path: The file.
        features: What to write; ``data_digest`` is added to ``meta``.
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
        path: The file, as ``tools/test.py --dump`` writes it.

    Returns:
        The features.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such file, is cut short, or its parts do not fit each other.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'There is no file {path}; write one with tools/test.py --dump.')
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in Features._fields}
        meta = json.loads(str(arrays['meta']))
    except Exception as error:
        raise ValueError(f'{path} is no file of tools/test.py --dump ({error}); write it again.') from error
    features = Features(
        **{name: torch.from_numpy(arrays[name]) for name in ('image_feats', 'image_pids', 'text_feats', 'text_images')},
        image_paths=arrays['image_paths'].tolist(),
        captions=arrays['captions'].tolist(),
        meta=meta,
    )
    images, texts = len(features.image_feats), len(features.text_feats)
    fits = len(features.image_pids) == len(features.image_paths) == images
    fits &= len(features.captions) == len(features.text_images) == texts
    if not fits or meta.get('data_digest') != features.data_digest:
        raise ValueError(f'{path} was changed since it was written: its parts do not fit each other; write it again.')
    return features
