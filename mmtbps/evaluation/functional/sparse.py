"""Sparse rows of a matrix, and the Jaccard index of sparse sets."""

from typing import NamedTuple

import torch
from torch import Tensor

from .memory import zero_matrix

_ENTRIES = 2**21
"""Pairs of entries per block, at least those of one row; it bounds the memory of :func:`weighted_jaccard`."""


class SparseRows(NamedTuple):
    """Rows of a non-negative matrix in compressed form (CSR): row i has the entries ``start[i]`` to ``start[i + 1]``.

    Attributes:
        start: (n + 1,) int64.
        column: Column of each entry, (entries,) int64.
        value: Value of each entry, (entries,) floating-point.
    """

    start: Tensor
    column: Tensor
    value: Tensor

    @classmethod
    def build(cls, row: Tensor, column: Tensor, value: Tensor, count: int) -> 'SparseRows':
        """Build rows from entries that are sorted by row.

        Args:
            row: Row of each entry (entries,), ascending.
            column: Column of each entry (entries,).
            value: Value of each entry (entries,).
            count: Number of rows.

        Returns:
            The rows.
        """
        start = torch.searchsorted(row, torch.arange(count + 1, device=row.device))
        return cls(start, column, value)

    def entries(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Select rows, in any order and any number of times.

        Args:
            rows: Row numbers (m,).

        Returns:
            For every entry of the selected rows the position 0..m-1 of its row in ``rows``, its column and its value.
        """
        begin = self.start[rows]
        length = self.start[rows + 1] - begin
        owner = torch.arange(len(rows), device=rows.device).repeat_interleave(length)
        # Entry t of the result is entry t - (entries of the rows selected before) of its own row.
        place = (begin - (length.cumsum(0) - length))[owner] + torch.arange(len(owner), device=rows.device)
        return owner, self.column[place], self.value[place]

    def tail(self, first: int) -> 'SparseRows':
        """Drop the rows before ``first``.

        Args:
            first: The first row to keep.

        Returns:
            The remaining rows.
        """
        start = self.start[first:]
        return SparseRows(start - start[0], self.column[start[0] :], self.value[start[0] :])

    def transpose(self, width: int) -> 'SparseRows':
        """Swap rows and columns.

        Args:
            width: Number of columns.

        Returns:
            The ``width`` columns as rows.
        """
        length = self.start.diff()
        row = torch.arange(len(length), device=length.device).repeat_interleave(length)
        column, order = self.column.sort(stable=True)
        return SparseRows.build(column, row[order], self.value[order], width)


def weighted_jaccard(sets: SparseRows, rows: Tensor, members: SparseRows, width: int, total: float) -> Tensor:
    r"""Compute the weighted Jaccard index of sparse sets, visiting only pairs that share an entry.

    With non-negative weights, :math:`J = m / (\text{total} - m)`, :math:`m_{ij} = \sum_c \min(a_{ic}, b_{jc})`, where
    ``total`` is the sum of all weights of one row of a and one of b. With weights of 1 it is the usual Jaccard index.

    Args:
        sets: The rows a.
        rows: Which rows of a to compare (b,).
        members: The columns of b: row c lists the rows of b that have c.
        width: The number G of rows of b.
        total: The sum of weights of two rows.

    Returns:
        Jaccard indices (b, G).
    """
    owner, column, value = sets.entries(rows)
    index = zero_matrix(len(rows), width, value).flatten()
    met = torch.zeros(len(rows), dtype=torch.long, device=value.device)
    met = met.index_add_(0, owner, members.start[column + 1] - members.start[column]).cumsum(0)
    begin = 0
    while begin < len(rows):
        done = met[begin - 1] if begin else met.new_zeros(())
        end = max(begin + 1, int(torch.searchsorted(met, done + _ENTRIES, right=True)))
        part = slice(*torch.searchsorted(owner, torch.tensor([begin, end], device=owner.device)).tolist())
        entry, other, other_value = members.entries(column[part])
        place = owner[part][entry] * width + other
        index.index_add_(0, place, torch.minimum(value[part][entry], other_value))
        # Only visited pairs are not 0. A pair visited twice is written twice, with the same number.
        shared = index[place]
        index[place] = shared / (total - shared)
        begin = end
    return index.view(len(rows), width)


def merge(place: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Add up the values of equal places.

    Args:
        place: Places (entries,) int64, in any order.
        value: Values (entries,).

    Returns:
        The distinct places, ascending, and their sums.
    """
    place, order = place.sort(stable=True)
    place, group = place.unique_consecutive(return_inverse=True)
    return place, value.new_zeros(len(place)).index_add_(0, group, value[order])
