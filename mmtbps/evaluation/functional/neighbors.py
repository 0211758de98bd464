"""Nearest neighbours by cosine similarity, exact and in bounded memory."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .memory import zero_matrix

BLOCK = 2**22
"""Numbers per block when the caller gives no chunk size: 16 MB in float32, which fits into a processor's cache."""

_GROUP = 8
"""Columns that :func:`largest` first reduces to their maximum."""

Rows = Callable[[Tensor], Tensor]
"""Rows of a (Q, G) matrix on demand: query numbers (b,) -> (b, G), so that no method holds the whole matrix."""


def chunk_rows(count: int, width: int) -> int:
    """Choose the number of rows per block.

    Args:
        count: Number of rows.
        width: Numbers per row.

    Returns:
        As many rows as fit into a block, but at least 64, since a matrix product of few rows is slow; at most
        ``count``, at least 1.
    """
    return max(1, min(count, max(64, BLOCK // max(width, 1))))


def _duplicates(feats: Tensor) -> tuple[Tensor, Tensor]:
    """Find rows that equal an earlier one: their numbers, and those of the first equal rows."""
    weights = torch.rand(feats.size(1), dtype=feats.dtype, generator=torch.Generator().manual_seed(0))
    weights = weights.to(feats.device)
    parts = feats.split(chunk_rows(len(feats), 4 * feats.size(1)))
    keys, order = torch.cat([(part * weights).sum(dim=1, dtype=torch.float64) for part in parts]).sort(stable=True)
    _, group, sizes = keys.unique_consecutive(return_inverse=True, return_counts=True)
    first = order[(sizes.cumsum(0) - sizes)[group]]
    repeats = order != first
    copy, original = order[repeats], first[repeats]
    same = (feats[copy] == feats[original]).all(dim=1)
    return copy[same], original[same]


class Cosine:
    """Rows of the matrix of cosine similarities on demand; equal gallery items have equal similarities.

    A matrix product may add the same numbers in another order at the edge of a block, so that two equal gallery items
    differ by rounding. Here the later one gets the similarity of the first for every block size.

    Args:
        query: Features (Q, D), rows of length 1.
        gallery: Features (G, D), rows of length 1, of the same type and device.
    """

    def __init__(self, query: Tensor, gallery: Tensor) -> None:
        self.query = query
        self.gallery = gallery
        self._copies, self._originals = _duplicates(gallery)

    def __call__(self, rows: Tensor) -> Tensor:
        """Compute some rows.

        Args:
            rows: Query numbers (b,).

        Returns:
            Similarities (b, G).
        """
        return self._tie(self.query[rows.to(self.query.device)] @ self.gallery.T)

    def blocks(self) -> Iterator[Tensor]:
        """Compute all rows, block by block.

        Yields:
            Similarities (b, G) of the next b queries; the next block overwrites them.
        """
        rows = chunk_rows(len(self.query), len(self.gallery))
        buffer = zero_matrix(rows, len(self.gallery), self.query)
        for part in self.query.split(rows):
            yield self._tie(torch.mm(part, self.gallery.T, out=buffer[: len(part)]))

    def _tie(self, block: Tensor) -> Tensor:
        if len(self._copies):
            block[:, self._copies] = block[:, self._originals]
        return block


def _some_largest(block: Tensor, k: int) -> Tensor:
    """Columns of the k largest of each row, unordered; ties are broken arbitrarily."""
    width = block.size(1)
    stride = width // _GROUP
    if stride < 4 * k:
        return block.topk(k, dim=1, sorted=False).indices
    # The k largest are in the k groups with the largest maxima, and a maximum is cheaper than topk. A group is every
    # stride-th column; columns beyond the last whole stride are always candidates.
    grouped = block[:, : stride * _GROUP].unflatten(1, (_GROUP, stride))
    groups = _some_largest(grouped.amax(dim=1), k)
    member = torch.arange(_GROUP, device=block.device)[:, None] * stride
    rest = torch.arange(stride * _GROUP, width, device=block.device).expand(len(block), -1)
    column = torch.cat([(groups[:, None] + member).flatten(1), rest], dim=1)
    return column.gather(1, block.gather(1, column).topk(k, dim=1, sorted=False).indices)


def largest(block: Tensor, k: int) -> Tensor:
    """Find the k largest of each row, largest first; ties keep column order, as in a stable sort.

    Args:
        block: Similarities (b, G).
        k: How many, at most G.

    Returns:
        Columns (b, min(k, G)).
    """
    width = block.size(1)
    if k >= width:
        return block.argsort(dim=1, descending=True, stable=True)
    # Ties come in any order: sort the candidates by column, then, stably, by value ...
    column = _some_largest(block, k + 1).sort(dim=1).values
    value, order = block.gather(1, column).sort(dim=1, descending=True, stable=True)
    column = column.gather(1, order)[:, :k]
    # ... and where the last one chosen equals the first one left out, the candidates themselves may be wrong.
    tied = (value[:, k - 1] == value[:, k]).nonzero()[:, 0]
    if len(tied):
        column[tied] = block[tied].argsort(dim=1, descending=True, stable=True)[:, :k]
    return column


def nearest(query: Tensor, gallery: Tensor, k: int) -> Tensor:
    """Find the k nearest gallery items of each query, nearest first; ties keep gallery order.

    Args:
        query: Features (Q, D), rows of length 1.
        gallery: Features (G, D), rows of length 1.
        k: How many, at most G.

    Returns:
        Gallery numbers (Q, min(k, G)).
    """
    found = [largest(block, k) for block in Cosine(query, gallery).blocks()]
    return torch.cat(found) if found else torch.empty(0, min(k, len(gallery)), dtype=torch.long, device=query.device)


def all_rows(rows: Rows, count: int, width: int) -> Tensor:
    """Compute the whole matrix, block by block.

    Args:
        rows: The rows on demand.
        count: Number of queries Q.
        width: Size of the gallery G.

    Returns:
        The matrix (Q, G).
    """
    parts = torch.arange(count).split(chunk_rows(count, width))
    first = rows(parts[0])
    matrix = zero_matrix(count, width, first)
    matrix[: len(first)] = first
    for part in parts[1:]:
        matrix[part[0] : part[-1] + 1] = rows(part)
    return matrix
