"""Files that hold the features of one block of images, and all that is needed to trust them."""

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

from .encoders.base import Fingerprint
from .listing import GalleryImage

__all__ = ['BrokenImage', 'Shard', 'read_shard', 'write_shard']


@dataclass(frozen=True)
class BrokenImage:
    """An image that could not be read, and why."""

    image: GalleryImage
    error: str


@dataclass
class Shard:
    """Features of a block of images.

    Args:
        features: (n, D) float32, rows of length 1.
        images: The images they belong to, n of them.
        fingerprint: What made them.
        broken: Images of the block that could not be read.
    """

    features: Tensor
    images: Sequence[GalleryImage]
    fingerprint: Fingerprint
    broken: Sequence[BrokenImage] = field(default_factory=list)


def write_shard(path: str | Path, shard: Shard) -> str:
    """Write a shard as one safetensors file, whole or not at all.

    Args:
        path: The file.
        shard: What to write; images and fingerprint go into the file's header.

    Returns:
        The file's SHA-256.
    """
    header = dict(
        images=[image.to_list() for image in shard.images],
        fingerprint=shard.fingerprint.to_dict(),
        broken=[[*entry.image.to_list(), entry.error] for entry in shard.broken],
    )
    # One entry, since safetensors shuffles several: equal shards shall be equal files.
    content = save({'features': shard.features.contiguous()}, {'shard': json.dumps(header)})
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


def read_shard(path: str | Path) -> Shard:
    """Read a shard; its features are mapped from the file, not copied into memory.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is damaged or no shard.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'The features {path} are not there. Make them again.')
    try:
        with safe_open(str(path), framework='pt') as file:
            header, features = json.loads(file.metadata()['shard']), file.get_tensor('features')
        images = [GalleryImage(*values) for values in header['images']]
        broken = [BrokenImage(GalleryImage(*values[:-1]), values[-1]) for values in header['broken']]
        fingerprint = Fingerprint(**header['fingerprint'])
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{path} is damaged or holds no features of a gallery ({error}). Make it again.') from error
    if features.dim() != 2 or features.dtype != torch.float32 or len(features) != len(images):
        raise ValueError(
            f'{path}: {tuple(features.shape)} features of {features.dtype} for {len(images)} images. Make it again.'
        )
    return Shard(features, images, fingerprint, broken)
