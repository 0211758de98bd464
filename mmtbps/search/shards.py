"""Shard files: the features of a block of images, with what identifies their images and model."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mmtbps.core.files import write_atomically
from mmtbps.core.json_text import parse_json
from mmtbps.core.text import require_utf8

from .encoders.base import Fingerprint
from .listing import GalleryImage

__all__ = ['BrokenImage', 'Shard', 'read_shard', 'write_shard']


@dataclass(frozen=True)
class BrokenImage:
    """An image that could not be read, and the error."""

    image: GalleryImage
    error: str


@dataclass
class Shard:
    """Features of a block of images.

    Args:
        features: (n, D) float32, rows of length 1.
        images: The n images.
        fingerprint: Identifies the model and preprocessing of the features.
        broken: Images of the block that could not be read. Defaults to none.
    """

    features: Tensor
    images: Sequence[GalleryImage]
    fingerprint: Fingerprint
    broken: Sequence[BrokenImage] = field(default_factory=list)


def write_shard(path: str | Path, shard: Shard) -> tuple[int, str]:
    """Write a shard as one safetensors file, atomically.

    Args:
        path: The file.
        shard: The shard; images and fingerprint are stored in the file's header.

    Returns:
        The file's size in bytes and its SHA-256.
    """
    require_utf8(path)
    header = dict(
        images=[image.to_list() for image in shard.images],
        fingerprint=shard.fingerprint.to_dict(),
        broken=[[*entry.image.to_list(), entry.error] for entry in shard.broken],
    )
    # One header entry, since safetensors stores several in random order and equal shards must give equal files.
    content = save({'features': shard.features.contiguous()}, {'shard': json.dumps(header)})
    write_atomically(path, content)
    return len(content), hashlib.sha256(content).hexdigest()


def read_shard(path: str | Path) -> Shard:
    """Read a shard; its features are memory-mapped from the file.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is damaged or not a shard, or its path is no UTF-8.
    """
    require_utf8(path)
    missing = f'There are no features {path}. Extract or index again.'
    if not Path(path).is_file():
        raise FileNotFoundError(missing)
    try:
        with safe_open(str(path), framework='pt') as file:
            header, features = parse_json(file.metadata()['shard'], finite=False), file.get_tensor('features')
        images = [GalleryImage(*values) for values in header['images']]
        broken = [BrokenImage(GalleryImage(*values[:-1]), values[-1]) for values in header['broken']]
        fingerprint = Fingerprint(**header['fingerprint'])
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{path} is damaged or not a shard ({error}). Extract or index again.') from error
    except RuntimeError as error:  # torch's, from mapping a file that was removed this moment
        raise FileNotFoundError(missing) from error
    if features.dim() != 2 or features.dtype != torch.float32 or len(features) != len(images):
        raise ValueError(
            f'{path} has {tuple(features.shape)} features of {features.dtype} for {len(images)} images. '
            'Extract or index again.'
        )
    return Shard(features, images, fingerprint, broken)
