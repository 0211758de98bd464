"""Comparison of queries with every feature of a gallery."""

import math

import torch
from torch import Tensor

from mmtbps.evaluation.functional.neighbors import chunk_rows, largest

from ..store import GalleryStore

__all__ = ['CHUNK', 'scan']

_FEW = 0.3
"""Share of the rows up to which copying those that are allowed takes less time than comparing all."""

CHUNK = 65536
"""Features compared at a time, 64 MB at 256 numbers each."""


def scan(store: GalleryStore, queries: Tensor, count: int, mask: Tensor | None, chunk_size: int = CHUNK) -> Tensor:
    """Find the nearest rows exactly; ties keep gallery order.

    Args:
        store: The gallery.
        queries: Features (Q, D) float32, rows of length 1.
        count: Number of rows per query.
        mask: Rows that may be returned, bool (number of rows,); None for all.
        chunk_size: Features compared at a time. Defaults to ``CHUNK``.

    Returns:
        Row numbers (Q, count) int64, nearest first; -1 where there are fewer.
    """
    parts = queries.split(chunk_rows(len(queries), chunk_size))
    return torch.cat([_scan(store, part, count, mask, chunk_size) for part in parts])


def _scan(store: GalleryStore, queries: Tensor, count: int, mask: Tensor | None, chunk_size: int) -> Tensor:
    score = queries.new_full((len(queries), 0), 0)
    row = torch.empty(len(queries), 0, dtype=torch.int64)
    for first, block in store.blocks():
        for start in range(0, len(block), chunk_size):
            features = block[start : start + chunk_size]
            numbers = torch.arange(first + start, first + start + len(features))
            allowed = None if mask is None else mask[first + start : first + start + len(features)]
            if allowed is not None and int(allowed.sum()) < _FEW * len(features):
                features, numbers, allowed = features[allowed], numbers[allowed], None
            similarity = queries @ features.T
            if allowed is not None:
                numbers = numbers.where(allowed, -1)
                similarity.masked_fill_(~allowed, -math.inf)
            # Earlier results come first, so that ties keep gallery order.
            best = largest(similarity, count)
            score = torch.cat([score, similarity.gather(1, best)], dim=1)
            row = torch.cat([row, numbers[best]], dim=1)
            best = largest(score, count)
            score, row = score.gather(1, best), row.gather(1, best)
    return torch.nn.functional.pad(row, (0, count - row.size(1)), value=-1)
