"""Bring the gallery in step with what was listed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from mmengine.utils import ProgressBar

from .comparison import Difference
from .encoders import Encoder
from .extraction import encode_blocks, split_blocks
from .results import IndexReport
from .shards import Shard
from .store import GalleryStore

__all__ = ['apply_difference', 'sole_writer']


@contextmanager
def sole_writer(folder: Path | None) -> Iterator[None]:
    """Keep other processes from writing a gallery's folder meanwhile.

    Args:
        folder: The folder; None for a gallery in memory.

    Raises:
        RuntimeError: If another process is writing it.
    """
    if folder is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / '.lock', timeout=0)
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
    """Encode what is new, drop what is gone.

    Args:
        store: The gallery; it grows block by block.
        encoder: Encodes the images.
        difference: What to do.
        batch_size: Images encoded at a time.
        num_workers: Processes that load images.
        block_size: Images in a block.
        progress: Whether to draw a progress bar.

    Returns:
        What was done.
    """
    report = IndexReport(unchanged=len(difference.unchanged), removed=len(difference.gone))
    store.remove(difference.gone)
    for block in split_blocks(difference.refiled, block_size):
        features = store.take(torch.tensor([store.row(image.path) for image in block]))
        store.append(Shard(features, block, encoder.fingerprint))
    pending = [*difference.new, *difference.changed]
    bar = ProgressBar(len(pending), file=sys.stderr) if progress and pending else None
    for count, shard in encode_blocks(encoder, split_blocks(pending, block_size), batch_size, num_workers):
        if bar is not None:
            bar.update(count)
        if shard is not None:
            report.broken += shard.broken
            # A file that broke since must not keep the features of what it was.
            store.remove(entry.image.path for entry in shard.broken if entry.image.path in store)
            store.append(shard)
    if bar is not None:
        sys.stderr.write('\n')
    store.commit()
    skipped = {entry.image.path for entry in report.broken}
    report.added = sum(image.path not in skipped for image in difference.new)
    report.changed = sum(image.path not in skipped for image in difference.changed) + len(difference.refiled)
    report.total = len(store)
    return report
