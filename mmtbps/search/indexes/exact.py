"""Exact search."""

from pathlib import Path

from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.registry import INDEXES

from ..store import GalleryStore
from .base import RowFilter, VectorIndex
from .scan import CHUNK, scan

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

    @checked()
    def __init__(self, chunk_size: int = CHUNK) -> None:
        self.chunk_size = positive(chunk_size, 'chunk_size')

    def sync(self, store: GalleryStore, folder: Path | None) -> None:
        """Nothing to do."""

    def find(self, store: GalleryStore, queries: Tensor, count: int, row_filter: RowFilter) -> Tensor:
        """Find the nearest rows; see :meth:`VectorIndex.find`."""
        return scan(store, queries, count, row_filter.mask, self.chunk_size)
