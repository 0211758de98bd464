"""Base class of vector indexes, and the filter that they are given."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..filters import Condition
from ..store import GalleryStore

__all__ = ['RowFilter', 'VectorIndex']


class RowFilter:
    """Rows of a gallery that a search may return: the live rows whose metadata meet all conditions.

    Args:
        store: The gallery.
        conditions: Conditions on the images' metadata.

    Raises:
        ValueError: If no image of the gallery has the metadata field of a condition.
    """

    def __init__(self, store: GalleryStore, conditions: Sequence[Condition] = ()) -> None:
        self.conditions = tuple(conditions)
        self._store = store
        for condition in self.conditions:
            if condition.name not in store.metadata_names:
                names = ', '.join(sorted(store.metadata_names)) or 'none'
                raise ValueError(f'No image of the gallery has the metadata {condition.name!r}; there are: {names}.')

    @cached_property
    def mask(self) -> Tensor | None:
        """The rows as a mask, bool (number of rows,); None if every row may be returned."""
        store = self._store
        if not self.conditions:
            return None if store.alive.all() else torch.from_numpy(store.alive)
        mask = np.zeros(store.num_rows, dtype=bool)
        for row in np.flatnonzero(store.alive):
            mask[row] = all(condition.holds(store.images[row].metadata) for condition in self.conditions)
        return torch.from_numpy(mask)

    @cached_property
    def rows(self) -> Tensor:
        """The rows as numbers (n,) int64, ascending."""
        mask = self.mask
        return torch.arange(self._store.num_rows) if mask is None else mask.nonzero()[:, 0]

    @property
    def expression(self) -> str:
        """The conditions as a filter expression of Milvus, which holds live rows only."""
        return ' and '.join(condition.expression for condition in self.conditions)


class VectorIndex(ABC):
    """Base class of vector indexes: they find the rows of a gallery that are nearest to a query.

    An index returns candidates; similarities and order are computed from the stored features by the searcher. It
    therefore may ask an approximate index for ``oversampling`` times as many candidates as it needs.

    A subclass implements :meth:`sync` and :meth:`search` and registers itself in ``INDEXES``.

    Attributes:
        exact: Whether the nearest rows are always found.
        oversampling: How many candidates the searcher asks for, per image that it returns.
    """

    exact: bool = False
    oversampling: int = 1

    @abstractmethod
    def sync(self, store: GalleryStore, folder: Path | None) -> None:
        """Update the index after rows of the gallery were added or removed.

        Args:
            store: The gallery.
            folder: Where the index may store what it built; None for a gallery in memory.
        """

    @abstractmethod
    def search(self, store: GalleryStore, queries: Tensor, count: int, row_filter: RowFilter) -> Tensor:
        """Find the rows nearest to each query.

        Args:
            store: The gallery that the index was last synchronised with.
            queries: Features (Q, D) float32, rows of length 1.
            count: Number of rows per query, at least 1.
            row_filter: The rows that may be returned.

        Returns:
            Row numbers (Q, count) int64, nearest first; -1 where there are fewer.
        """

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Release files and connections."""
