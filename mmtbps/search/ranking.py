"""From the rows an index finds to a ranked answer."""

import torch
from torch import Tensor

from mmtbps.evaluation.functional.neighbors import largest
from mmtbps.evaluation.rerankers import Reranker

from .indexes import RowFilter, VectorIndex
from .store import GalleryStore

__all__ = ['Ranking', 'rank', 'rerank']

SHORTLIST = 500
"""Images that a re-ranker looks at, the nearest to the query: the default of ``rerank_shortlist``."""

Ranking = tuple[Tensor, Tensor, Tensor]
"""Rows, scores and cosines of one query's answer, each (n,), the best first."""


def _cosines(store: GalleryStore, query: Tensor, rows: Tensor) -> Tensor:
    """Compute row by row, not as a product, so that equal images have equal scores."""
    return (store.take(rows) * query).sum(dim=1)


def rank(store: GalleryStore, index: VectorIndex, queries: Tensor, count: int, selection: RowFilter) -> list[Ranking]:
    """Rank by cosine similarity, computed from the stored features whatever the index; ties keep gallery order.

    Args:
        store: The gallery.
        index: Finds the candidates.
        queries: Features (Q, D), rows of length 1.
        count: Images wanted.
        selection: Which images may be found.

    Returns:
        The answer of each query.
    """
    answers = []
    for query, found in zip(queries, index.search(store, queries, count * index.oversampling, selection), strict=True):
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
    selection: RowFilter,
    reranker: Reranker,
) -> list[Ranking]:
    """Rank the images nearest to each query again.

    With an exact index the re-ranker gets the whole gallery (as far as it is selected), of which it re-ranks a
    shortlist. An approximate one is there to spare that: the re-ranker gets the shortlist alone.

    Args:
        store: The gallery.
        index: Finds the candidates.
        queries: Features (Q, D), rows of length 1.
        count: Images wanted.
        selection: Which images may be found.
        reranker: Re-ranks them.

    Returns:
        The answer of each query.
    """
    size = max(count, SHORTLIST)
    if index.exact:
        pools = [(queries, selection.rows)]
    else:
        nearest = rank(store, index, queries, size, selection)
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
