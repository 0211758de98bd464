"""What finds the nearest features."""

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
    """Which rows of a gallery may be found: those that count and meet all conditions.

    Args:
        store: The gallery.
        conditions: Conditions on the images' metadata.

    Raises:
        ValueError: If no image of the gallery knows the fact that a condition asks for.
    """

    def __init__(self, store: GalleryStore, conditions: Sequence[Condition] = ()) -> None:
        self.conditions = tuple(conditions)
        self._store = store
        for condition in self.conditions:
            if condition.name not in store.facts:
                names = ', '.join(sorted(store.facts)) or 'no facts at all'
                raise ValueError(f'No image of the gallery has {condition.name!r}; known are {names}.')

    @cached_property
    def mask(self) -> Tensor | None:
        """The rows as a mask, bool (number of rows,); None where every row may be found."""
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
        """The conditions for Milvus, which knows by itself which rows count."""
        return ' and '.join(condition.expression for condition in self.conditions)


class VectorIndex(ABC):
    """Base class of indexes: rows of a gallery by their nearness to a query.

    An index need not give similarities, nor the right order: the searcher computes both from the stored features. So an
    approximate index may be asked for more than is wanted, ``oversampling`` times as many.

    A subclass writes :meth:`sync` and :meth:`search` and registers itself in ``INDEXES``.

    Attributes:
        exact (bool): Whether the nearest are always found.
        oversampling (int): How many times as many rows the searcher asks for as it wants.
    """

    exact: bool = False
    oversampling: int = 1

    @abstractmethod
    def sync(self, store: GalleryStore, folder: Path | None) -> None:
        """Catch up with a gallery, of which rows were added or removed; with a folder, keep what was built there.

        Args:
            store: The gallery.
            folder: The index's own folder, or None for a gallery in memory.
        """

    @abstractmethod
    def search(self, store: GalleryStore, queries: Tensor, count: int, selection: RowFilter) -> Tensor:
        """Find the rows nearest to each query.

        Args:
            store: The gallery, the index in step with it.
            queries: Features (Q, D) float32, rows of length 1.
            count: How many rows, at least 1.
            selection: Which rows may be found.

        Returns:
            Row numbers (Q, count) int64, the nearest first; -1 where there are no more.
        """

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Let go of files and connections."""
