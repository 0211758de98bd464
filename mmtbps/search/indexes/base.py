"""Base class of vector indexes, and the filter that they are given."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..filters import Condition
from ..store import GalleryStore
from .scan import scan

__all__ = ['RowFilter', 'VectorIndex']

_LEAST = 32
"""Candidates that an approximate index is asked for at least, so that copies of one picture show."""

_COPIES = 4
"""Copies are too many if they are this part of the candidates, a quarter: eight of 32."""


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
        if not self.conditions and store.alive.all():
            return None
        mask = store.alive.copy()
        for condition in self.conditions:
            mask &= store.columns.meets(condition)
        return torch.from_numpy(mask)

    @cached_property
    def rows(self) -> Tensor:
        """The rows as numbers (n,) int64, ascending."""
        mask = self.mask
        return torch.arange(self._store.num_rows) if mask is None else mask.nonzero()[:, 0]

    @cached_property
    def count(self) -> int:
        """Number of the rows."""
        return self._store.num_rows if self.mask is None else int(self.mask.sum())

    @cached_property
    def expression(self) -> str | None:
        """The conditions as a filter expression of Milvus, which holds live rows only; None if Milvus cannot say them.

        The metadata are in a JSON field as :func:`~mmtbps.search.filters.milvus_metadata` writes them. It leaves out
        what Milvus does not compare as Python does, so that rows with such values must not be asked for.
        """
        if not self.conditions:
            return ''
        for condition in self.conditions:
            seen = self._store.columns.where(condition.name, condition.milvus_sees)
            if (self.mask.numpy() & ~seen).any():  # type: ignore[union-attr]
                return None
        parts = [condition.expression for condition in self.conditions]
        return None if None in parts else ' and '.join(part for part in parts if part is not None)


def _many_copies(store: GalleryStore, query: Tensor, found: Tensor) -> bool:
    """Whether a good part of what was found is one picture: a graph of copies leads to nothing else."""
    rows = found[found >= 0]
    scores = (store.take(rows) * query).sum(dim=1)
    return len(rows) > 1 and int(scores.unique(return_counts=True)[1].max()) * _COPIES >= len(rows)


class VectorIndex(ABC):
    """Base class of vector indexes: they find the rows of a gallery that are nearest to a query.

    An index returns candidates; similarities and order are computed from the stored features by the searcher. An
    approximate index may find too few, be it that a filter leaves nothing near the query or that many images are
    equal. Whatever it finds, a search therefore returns as many rows as it is asked for, or all that may be returned:
    where the index falls short, those rows are compared exactly.

    A subclass implements :meth:`sync` and :meth:`find` and registers itself in ``INDEXES``; one that takes long to
    build implements :meth:`save` and :meth:`load` too. A gallery in a folder is changed by one writer at a time, while
    others read it: the writer calls :meth:`sync`, :meth:`save` and, once readers see the new generation,
    :meth:`published`; a reader calls :meth:`load`, and :meth:`sync` where nothing fitting was saved.

    Attributes:
        exact: Whether the nearest rows are always found.
        distinct: Whether equal features cannot hide others, as in a graph of thousands of copies: the index has one of
            each.
        shared: Whether readers use what a writer changes, such as a server. Only a writer calls :meth:`sync` then, and
            readers of an earlier generation compare all rows.
        oversampling: How many candidates the index is asked for, per row that is wanted.
        exact_below: If at most this share of the rows may be returned, because the rest is removed or filtered out,
            they are compared exactly, which is fast then and misses nothing.
    """

    exact: bool = False
    distinct: bool = False
    shared: bool = False
    oversampling: int = 1
    exact_below: float = 0.1

    @abstractmethod
    def sync(self, store: GalleryStore, folder: Path | None) -> None:
        """Update the index after rows of the gallery were added or removed.

        Args:
            store: The gallery.
            folder: The gallery's folder, in which nothing may be written but by an index that is ``shared``; None for a
                gallery in memory.
        """

    def save(self, folder: Path, generation: int) -> dict[str, Any]:
        """Write what was built to a new file, for the generation that is being prepared.

        Args:
            folder: The gallery's folder; a file goes to its folder ``index``.
            generation: Number of the generation, to name the file by: files of earlier ones are not changed.

        Returns:
            What to say of it in the manifest, plain data; with a file, what ``describe_file`` says of it. Nothing if
            there is nothing to open again.
        """
        return {}

    def load(self, store: GalleryStore, folder: Path, built: Mapping[str, Any]) -> bool:
        """Open what :meth:`save` wrote.

        Args:
            store: The gallery.
            folder: The gallery's folder.
            built: What :meth:`save` returned, as it was read: from a stranger, it may say anything.

        Returns:
            Whether it was there, whole, and built with these settings from this gallery.
        """
        return False

    def published(self, store: GalleryStore) -> None:  # noqa: B027 - most have nothing to do
        """Drop what only readers of earlier generations needed; called when the manifest has been replaced."""

    @abstractmethod
    def find(self, store: GalleryStore, queries: Tensor, count: int, row_filter: RowFilter) -> Tensor:
        """Find rows near each query.

        Args:
            store: The gallery that the index was last synchronised with.
            queries: Features (Q, D) float32, rows of length 1.
            count: Number of rows per query, at least 1.
            row_filter: The rows that may be returned, at least one.

        Returns:
            Row numbers (Q, C) int64 with C >= ``count``, in any order; -1 where fewer were found.
        """

    def search(self, store: GalleryStore, queries: Tensor, count: int, row_filter: RowFilter) -> Tensor:
        """Find the rows nearest to each query, never fewer than ``count`` if so many may be returned.

        Args:
            store: The gallery that the index was last synchronised with.
            queries: Features (Q, D) float32, rows of length 1.
            count: Number of rows wanted per query, at least 1.
            row_filter: The rows that may be returned.

        Returns:
            Candidates (Q, C) int64 with C >= ``count``, row numbers; -1 where there are fewer.
        """
        if row_filter.count <= self.exact_below * store.num_rows or self._left_behind(store):
            return scan(store, queries, count, row_filter.mask)
        wanted = count * self.oversampling if self.exact else max(count * self.oversampling, _LEAST)
        try:
            found = self.find(store, queries, max(count, min(wanted, row_filter.count)), row_filter)
        except Exception:  # a server may have lost the rows of this generation meanwhile
            if not self._left_behind(store):
                raise
            found = torch.full((len(queries), count), -1)
        # It may also have rows that this generation has not, or has not any more.
        found = found.where(found < store.num_rows, -1)
        if row_filter.mask is not None:
            found = found.where((found >= 0) & row_filter.mask[found.clamp(min=0)], -1)
        if self._left_behind(store):
            found.fill_(-1)
        lacking = (found >= 0).sum(dim=1) < min(count, row_filter.count)
        if not (self.exact or self.distinct):
            lacking |= torch.tensor([_many_copies(store, *one) for one in zip(queries, found, strict=True)])
        if lacking.any():
            found[lacking] = -1
            found[lacking, :count] = scan(store, queries[lacking], count, row_filter.mask)
        return found

    def _left_behind(self, store: GalleryStore) -> bool:
        """Whether a writer has changed a shared index since the gallery was opened."""
        return self.shared and store.outdated()

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Release files and connections."""
