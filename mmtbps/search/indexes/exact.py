"""Exact search."""

from pathlib import Path

import torch
from torch import Tensor

from mmtbps.core.checks import positive
from mmtbps.evaluation.functional.neighbors import chunk_rows, largest
from mmtbps.registry import INDEXES

from ..store import GalleryStore
from .base import RowFilter, VectorIndex

__all__ = ['ExactIndex']


@INDEXES.register_module()
class ExactIndex(VectorIndex):
    """Compare each query with every feature of the gallery; nothing is built.

    Ties keep gallery order. Beyond the features it needs memory for one block of similarities, whatever the gallery's
    size.

    Args:
        chunk_size: Features compared at a time. Defaults to 65,536, that is 64 MB at 256 numbers each.

    Raises:
        ValueError: If ``chunk_size`` is below 1.
    """

    exact = True

    def __init__(self, chunk_size: int = 65536) -> None:
        self.chunk_size = positive(chunk_size, 'chunk_size')

    def sync(self, store: GalleryStore, folder: Path | None) -> None:
        """Nothing to do."""

    def search(self, store: GalleryStore, queries: Tensor, count: int, row_filter: RowFilter) -> Tensor:
        """Find the nearest rows; see :meth:`VectorIndex.search`."""
        return torch.cat([self._search(store, part, count, row_filter.mask) for part in self._split(queries)])

    def _split(self, queries: Tensor) -> tuple[Tensor, ...]:
        return queries.split(chunk_rows(len(queries), self.chunk_size))

    def _search(self, store: GalleryStore, queries: Tensor, count: int, mask: Tensor | None) -> Tensor:
        score = queries.new_full((len(queries), 0), 0)
        row = torch.empty(len(queries), 0, dtype=torch.int64)
        for first, block in store.blocks():
            for start in range(0, len(block), self.chunk_size):
                features = block[start : start + self.chunk_size]
                numbers = torch.arange(first + start, first + start + len(features))
                if mask is not None:
                    allowed = mask[numbers]
                    features, numbers = features[allowed], numbers[allowed]
                # Earlier results come first, so that ties keep gallery order.
                similarity = queries @ features.T
                best = largest(similarity, count)
                score = torch.cat([score, similarity.gather(1, best)], dim=1)
                row = torch.cat([row, numbers[best]], dim=1)
                best = largest(score, count)
                score, row = score.gather(1, best), row.gather(1, best)
        return torch.nn.functional.pad(row, (0, count - row.size(1)), value=-1)
