"""Update of a gallery from a listing of images: compare, then encode and remove."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from mmtbps.core.terminal import progress_bar

from .encoders import Encoder
from .extraction import encode_blocks, split_blocks
from .listing import GalleryImage, Listing, start_of_paths_below
from .results import IndexReport
from .shards import Shard
from .store import GalleryStore

__all__ = ['Difference', 'apply_difference', 'compare', 'sole_writer']

_PATIENCE = 30.0
"""Seconds to wait for another writer: many times what adding a few images takes, too short for a whole gallery."""


@dataclass
class Difference:
    """Differences between a listing of images and a gallery.

    Attributes:
        new: Images that are not in the gallery.
        changed: Images whose file has another size or modification time.
        metadata_changed: Images whose file is the same but whose metadata differ.
        unchanged: Images that need no update.
        gone: Paths of images of the gallery that are below the listed folder and no longer exist.
    """

    new: list[GalleryImage] = field(default_factory=list)
    changed: list[GalleryImage] = field(default_factory=list)
    metadata_changed: list[GalleryImage] = field(default_factory=list)
    unchanged: list[GalleryImage] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


def compare(store: GalleryStore, listing: Listing, with_metadata: bool) -> Difference:
    """Compare a listing with a gallery.

    Args:
        store: The gallery.
        listing: The listing. If it is that of a folder, images of the gallery below it that it misses are gone.
        with_metadata: Whether metadata were given; if not, an unchanged image keeps its own.

    Returns:
        The differences.
    """
    difference = Difference()
    for image in listing.images:
        if image.path not in store:
            difference.new.append(image)
            continue
        stored = store.images[store.row(image.path)]
        if not image.same_file(stored):
            difference.changed.append(image)
        elif with_metadata and _facts(image) != _facts(stored):
            difference.metadata_changed.append(image)
        else:
            difference.unchanged.append(image)
    if listing.folder is not None:
        listed = {image.path for image in listing.images}
        start = start_of_paths_below(listing.folder)
        below = [path for path in store.paths() if path.startswith(start) and path not in listed]
        elsewhere = {os.path.realpath(path) for path in listed} if below else set()
        # A file that is listed by another path now, through a link, is not there twice.
        difference.gone = [path for path in below if listing.misses(path) or os.path.realpath(path) in elsewhere]
    return difference


def _facts(image: GalleryImage) -> dict[str, str]:
    """Metadata by how they are written; to Python 1, 1.0 and True are one."""
    return {name: repr(value) for name, value in image.metadata.items()}


@contextmanager
def sole_writer(folder: Path | None) -> Iterator[None]:
    """Lock a gallery's folder against other writing processes, after waiting for one that is about to end.

    Args:
        folder: The folder; None for a gallery in memory.

    Raises:
        RuntimeError: If another process is still writing it after half a minute.
    """
    if folder is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / '.lock', timeout=_PATIENCE)
    try:
        lock.acquire()
    except Timeout as error:
        raise RuntimeError(f'Another process is writing the gallery {folder}. Wait for it, or end it.') from error
    try:
        yield
    finally:
        lock.release()


def apply_difference(
    store: GalleryStore,
    encoder: Encoder,
    difference: Difference,
    batch_size: int,
    num_workers: int,
    block_size: int,
    progress: bool,
) -> IndexReport:
    """Encode new and changed images and remove those that are gone.

    Args:
        store: The gallery; it grows block by block.
        encoder: Encodes the images.
        difference: The differences.
        batch_size: Images per batch.
        num_workers: Processes that load images.
        block_size: Images per block.
        progress: Whether to draw a progress bar.

    Returns:
        Counts of what was done, and the broken images.
    """
    report = IndexReport(unchanged=len(difference.unchanged), removed=len(difference.gone))
    store.remove(difference.gone)
    for block in split_blocks(difference.metadata_changed, block_size):
        features = store.take(torch.tensor([store.row(image.path) for image in block]))
        store.append(Shard(features, block, encoder.fingerprint))
    pending = [*difference.new, *difference.changed]
    with progress_bar(len(pending), 'images', disable=None if progress else True) as bar:
        for count, shard in encode_blocks(encoder, split_blocks(pending, block_size), batch_size, num_workers):
            bar.update(count)
            if shard is not None:
                report.broken += shard.broken
                # A file that is broken now must not keep the features of its former content.
                store.remove(entry.image.path for entry in shard.broken if entry.image.path in store)
                store.append(shard)
    skipped = {entry.image.path for entry in report.broken}
    report.added = sum(image.path not in skipped for image in difference.new)
    report.changed = sum(image.path not in skipped for image in difference.changed) + len(difference.metadata_changed)
    report.total = len(store)
    return report
