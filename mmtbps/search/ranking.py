"""Ranking and re-ranking of the candidates that an index finds."""

import torch
from torch import Tensor

from mmtbps.evaluation.functional.neighbors import largest
from mmtbps.evaluation.rerankers import Reranker

from .indexes import RowFilter, VectorIndex
from .store import GalleryStore

__all__ = ['Ranking', 'rank', 'rerank']

SHORTLIST = 500
"""Number of nearest images that a re-ranker re-ranks: the default of ``rerank_shortlist``."""

Ranking = tuple[Tensor, Tensor, Tensor]
"""Rows, scores and cosines of the results of one query, each (n,), best first."""


def _cosines(store: GalleryStore, query: Tensor, rows: Tensor) -> Tensor:
    """Compute cosines row by row, not as a matrix product, so that equal images have equal scores."""
    return (store.take(rows) * query).sum(dim=1)


def rank(store: GalleryStore, index: VectorIndex, queries: Tensor, count: int, row_filter: RowFilter) -> list[Ranking]:
    """Rank by cosine similarity, computed from the stored features for every index; ties keep gallery order.

    Args:
        store: The gallery.
        index: Finds the candidates.
        queries: Features (Q, D), rows of length 1.
        count: Number of results per query.
        row_filter: The rows that may be returned.

    Returns:
        The ranking of each query.
    """
    answers = []
    for query, found in zip(queries, index.search(store, queries, count, row_filter), strict=True):
        rows = found[found >= 0].sort().values
        cosines = _cosines(store, query, rows)
        best = largest(cosines[None], count)[0]
        answers.append((rows[best], cosines[best], cosines[best]))
    return answers


def rerank(
    store: GalleryStore,
    index: VectorIndex,
    queries: Tensor,
    count: int,
    row_filter: RowFilter,
    reranker: Reranker,
) -> list[Ranking]:
    """Re-rank the images nearest to each query.

    With an exact index the re-ranker sees the whole gallery, as far as the filter allows, and re-ranks a shortlist of
    it. With an approximate index it sees the shortlist only, since reading the whole gallery is what such an index
    avoids.

    Args:
        store: The gallery.
        index: Finds the candidates.
        queries: Features (Q, D), rows of length 1.
        count: Number of results per query.
        row_filter: The rows that may be returned.
        reranker: The re-ranker.

    Returns:
        The ranking of each query.
    """
    size = max(count, SHORTLIST)
    if index.exact:
        pools = [(queries, row_filter.rows)]
    else:
        nearest = rank(store, index, queries, size, row_filter)
        pools = [(query[None], rows.sort().values) for query, (rows, _, _) in zip(queries, nearest, strict=True)]
    answers: list[Ranking] = []
    for part, pool in pools:
        if not len(pool):
            answers += [(pool, torch.empty(0), torch.empty(0)) for _ in part]
            continue
        numbers, scores = reranker.shortlist(part, store.take(pool), size)
        for query, rows, score in zip(part, pool[numbers[:, :count]], scores[:, :count], strict=True):
            answers.append((rows, score, _cosines(store, query, rows)))
    return answers
