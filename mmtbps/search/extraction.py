"""Encoding of image files in blocks."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mmtbps.core.checks import at_least, positive, whole
from mmtbps.core.processes import die_with_parent

from .encoders import Encoder
from .listing import GalleryImage
from .shards import BrokenImage, Shard

__all__ = ['encode_blocks', 'split_blocks']


def split_blocks(images: Sequence[GalleryImage], block_size: int) -> list[list[GalleryImage]]:
    """Cut a list into blocks of ``block_size``; the last one may be shorter."""
    size = positive(block_size, 'block_size')
    return [list(images[start : start + size]) for start in range(0, len(images), size)]


def encode_blocks(
    encoder: Encoder, blocks: Sequence[Sequence[GalleryImage]], batch_size: int = 64, num_workers: int = 2
) -> Iterator[tuple[int, Shard | None]]:
    """Encode blocks of images; no batch extends over two blocks.

    The features of a block therefore depend, bit by bit, on the block and the batch size alone.

    Args:
        encoder: Encodes the images.
        blocks: Blocks of images.
        batch_size: Images per batch. Defaults to 64, some hundred megabytes of activations.
        num_workers: Processes that load images. Defaults to 2; 0 loads in this process.

    Yields:
        After every batch: the number of its images, and the encoded block if it is complete now, else None.
    """
    images = [image for block in blocks for image in block]
    plan = list(_batches(blocks, positive(batch_size, 'batch_size')))
    loader = DataLoader(
        _Images(images, encoder.image_loader), batch_sampler=[numbers for numbers, _ in plan],
        collate_fn=_collate, num_workers=int(at_least(0)(whole(num_workers, 'num_workers'), 'num_workers')),
        worker_init_fn=die_with_parent,
    )  # fmt: skip
    features: list[Tensor] = []
    kept: list[GalleryImage] = []
    broken: list[BrokenImage] = []
    for (numbers, last), (loaded, errors) in zip(plan, loader, strict=True):
        for number, error in zip(numbers, errors, strict=True):
            if error is None:
                kept.append(images[number])
            else:
                broken.append(BrokenImage(images[number], error))
        if loaded is not None:
            features.append(encoder.encode_batch(loaded))
        shard = None
        if last:
            matrix = torch.cat(features) if features else torch.empty(0, 0)
            shard = Shard(matrix, kept, encoder.fingerprint, broken)
            features, kept, broken = [], [], []
        yield len(numbers), shard


def _batches(blocks: Sequence[Sequence[Any]], batch_size: int) -> Iterator[tuple[list[int], bool]]:
    """Numbers of the images of each batch, and whether it is the last one of its block."""
    first = 0
    for block in blocks:
        end = first + len(block)
        for start in range(first, end, batch_size):
            yield list(range(start, min(start + batch_size, end))), start + batch_size >= end
        first = end


class _Images(Dataset):
    """Data set of loaded images, or of the errors raised by loading."""

    def __init__(self, images: Sequence[GalleryImage], loader: Any) -> None:
        self.images = images
        self.loader = loader

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor | None, str | None]:
        try:
            return self.loader(self.images[index].path), None
        except Exception as error:  # decoders raise all kinds of errors; each is reported with its image
            return None, ' '.join(f'{type(error).__name__}: {error}'.split())  # one line


def _collate(items: list[tuple[Tensor | None, str | None]]) -> tuple[Tensor | None, list[str | None]]:
    """Stack in the worker: each single tensor would need a shared memory segment of its own."""
    loaded = [image for image, _ in items if image is not None]
    return torch.stack(loaded) if loaded else None, [error for _, error in items]
