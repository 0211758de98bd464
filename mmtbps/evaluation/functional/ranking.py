"""Exact ranking metrics, without sorting the gallery.

Definitions. A *match* of a query is a gallery item with the query's person id. Items are ranked by decreasing
similarity; ties keep gallery order (a stable sort). With the ranks ``r_1 < ... < r_n`` (counted from 1) of a query's n
matches:

    hit at k                   1 if r_1 <= k else 0               mean over queries: CMC, here R@k
    average precision          1/n * sum_i i / r_i                mean over queries: mAP (un-interpolated, full list)
    inverse negative penalty   n / r_n                            mean over queries: mINP (Ye et al., PAMI 2021)

Queries without a match are left out of every mean.

Computation. The rank of an item is 1 + the number of items before it in gallery order that are at least as similar +
the number of items after it that are more similar: a count, hence no sort. All queries of one person have the same
matches, so their counts are computed together.
"""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive

from .checks import as_float, as_ids, check_topk, unit_pair
from .neighbors import Cosine, Rows, chunk_rows

_SORT_ABOVE = 128
"""Queries with more matches than this are ranked by a sort, whose cost does not grow with their number."""


class QueryScores(NamedTuple):
    """Scores of each query, in query order, on the host.

    Attributes:
        first_rank: Rank of the first match (Q,) int64, 0 if there is none.
        average_precision: (Q,) float64 in 0..1, 0 if there is no match.
        inverse_negative_penalty: (Q,) float64 in 0..1, 0 if there is no match.
    """

    first_rank: Tensor
    average_precision: Tensor
    inverse_negative_penalty: Tensor

    @property
    def has_match(self) -> Tensor:
        """Which queries have a match, bool (Q,)."""
        return self.first_rank > 0


def _count_ahead(block: Tensor, matches: list[int]) -> Tensor:
    """Count the items ranked before each of n matches in each of b rows (b, G), on any device: (b, n)."""
    counts = [
        (block[:, :column] >= block[:, column, None]).sum(dim=1)
        + (block[:, column:] > block[:, column, None]).sum(dim=1)
        for column in matches
    ]
    return torch.stack(counts, dim=1)


def _count_ahead_on_host(block: np.ndarray, matches: list[int]) -> Tensor:
    """The same on the CPU, where NumPy compares and counts several times faster than torch on one core."""
    ahead = np.empty(block.shape, dtype=bool)
    counts = np.empty((len(block), len(matches)), dtype=np.int64)
    for i, column in enumerate(matches):
        own = block[:, column, None]
        np.greater_equal(block[:, :column], own, out=ahead[:, :column])
        np.greater(block[:, column:], own, out=ahead[:, column:])
        counts[:, i] = [np.count_nonzero(row) for row in ahead]
    return torch.from_numpy(counts)


def _match_ranks(block: Tensor, matches: list[int]) -> Tensor:
    """Ranks of the n matches, given as columns, of b queries (b, G): (b, n) from 1, ascending in each row."""
    if len(matches) > _SORT_ABOVE:
        is_match = torch.zeros(block.size(1), dtype=torch.bool, device=block.device)
        is_match[matches] = True
        order = block.argsort(dim=1, descending=True, stable=True)
        return is_match[order].nonzero()[:, 1].view(len(block), len(matches)) + 1
    on_host = block.device.type == 'cpu'
    counts = _count_ahead_on_host(block.numpy(), matches) if on_host else _count_ahead(block, matches)
    return counts.sort(dim=1).values + 1


def _persons(query_pids: Tensor, gallery_pids: Tensor, order: Tensor) -> Iterator[tuple[slice, list[int]]]:
    """Queries and matches of each person that has both; queries and gallery are sorted by person."""
    persons, sizes = query_pids.unique_consecutive(return_counts=True)
    low = torch.searchsorted(gallery_pids, persons).tolist()
    high = torch.searchsorted(gallery_pids, persons, right=True).tolist()
    ends = sizes.cumsum(0).tolist()
    for begin, end, left, right in zip([0, *ends], ends, low, high, strict=False):
        if left < right:
            yield slice(begin, end), order[left:right].tolist()


@torch.no_grad()
@checked()
def score_rows(rows: Rows, query_pids: Any, gallery_pids: Any, chunk_size: int | None = None) -> QueryScores:
    """Score every query of a similarity matrix whose rows are computed on demand.

    Args:
        rows: A function from query numbers (b,) int64 to similarities (b, G), larger is better.
        query_pids: Person ids (Q,).
        gallery_pids: Person ids (G,).
        chunk_size: Queries per block; memory is about chunk_size x G numbers. Defaults to None: blocks of some
            megabytes.

    Returns:
        One entry per query.

    Raises:
        TypeError: If the similarities are not floating-point numbers or the ids not integers.
        ValueError: If the rows have a wrong shape, a similarity is NaN or ``chunk_size`` is below 1.
    """
    query_pids, gallery_pids = as_ids(query_pids, 'query_pids'), as_ids(gallery_pids, 'gallery_pids')
    size = chunk_rows(len(query_pids), len(gallery_pids))
    if chunk_size is not None:
        size = min(positive(chunk_size, 'chunk_size'), max(1, len(query_pids)))
    sorted_pids, order = gallery_pids.sort(stable=True)
    places, figures = [], []
    for chunk in query_pids.argsort(stable=True).split(size):
        block = as_float(rows(chunk), 'similarity')
        if block.shape != (len(chunk), len(gallery_pids)):
            raise ValueError(f'rows must return shape {(len(chunk), len(gallery_pids))}, got {tuple(block.shape)}.')
        if block.isnan().any():
            raise ValueError('similarity has NaN, which cannot be ranked; the model diverged or divided by zero.')
        for part, matches in _persons(query_pids[chunk], sorted_pids, order):
            places.append(chunk[part])
            figures.append(_figures(_match_ranks(block[part], matches)))
    scores = torch.zeros(len(query_pids), 3, dtype=torch.float64)
    if places:
        scores[torch.cat(places)] = torch.cat(figures).cpu()
    return QueryScores(scores[:, 0].long(), scores[:, 1], scores[:, 2])


def _figures(ranks: Tensor) -> Tensor:
    """First rank, average precision and inverse negative penalty (b, 3) from ascending ranks (b, n)."""
    found = torch.arange(1, ranks.size(1) + 1, dtype=torch.float64, device=ranks.device)
    precision = found / ranks
    return torch.stack([ranks[:, 0].double(), precision.mean(dim=1), precision[:, -1]], dim=1)


@torch.no_grad()
def score_similarity(similarity: Any, query_pids: Any, gallery_pids: Any) -> QueryScores:
    """Score every query of a similarity matrix; :func:`rank_metrics` gives the averages.

    Args:
        similarity: Similarities (Q, G), larger is better; half precision is promoted to float32.
        query_pids: Person ids (Q,).
        gallery_pids: Person ids (G,).

    Returns:
        One entry per query.

    Raises:
        TypeError: If the similarities are not floating-point numbers or the ids not integers.
        ValueError: If shapes disagree or a similarity is NaN.
    """
    similarity = as_float(similarity, 'similarity')
    query_pids = as_ids(query_pids, 'query_pids', similarity.size(0))
    gallery_pids = as_ids(gallery_pids, 'gallery_pids', similarity.size(1))
    return score_rows(lambda rows: similarity[rows.to(similarity.device)], query_pids, gallery_pids)


@torch.no_grad()
def score_features(
    query_feats: Any, query_pids: Any, gallery_feats: Any, gallery_pids: Any, chunk_size: int | None = None
) -> QueryScores:
    """Score every query by cosine similarity; :func:`rank_features` gives the averages.

    Args:
        query_feats: Features (Q, D); normalised inside.
        query_pids: Person ids (Q,).
        gallery_feats: Features (G, D); normalised inside.
        gallery_pids: Person ids (G,).
        chunk_size: Queries per block; memory beyond the features is about chunk_size x G numbers. Defaults to None:
            blocks of some megabytes.

    Returns:
        One entry per query.

    Raises:
        TypeError: If features are not floating-point numbers or ids not integers.
        ValueError: If shapes disagree, a feature is not finite or ``chunk_size`` is below 1.
    """
    query, gallery = unit_pair(query_feats, gallery_feats)
    query_pids = as_ids(query_pids, 'query_pids', len(query))
    gallery_pids = as_ids(gallery_pids, 'gallery_pids', len(gallery))
    return score_rows(Cosine(query, gallery), query_pids, gallery_pids, chunk_size)


@checked()
def summarize(scores: QueryScores, topk: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
    """Average over the queries that have a match.

    Args:
        scores: Scores of the queries.
        topk: Ranks at which CMC is reported. Defaults to (1, 5, 10), as papers of the field do.

    Returns:
        ``R@k`` for every k of ``topk``, ``mAP`` and ``mINP``, in percent.

    Raises:
        ValueError: If no query has a match, so that no average exists.
    """
    topk = check_topk(topk)
    has_match = scores.has_match
    if not has_match.any():
        raise ValueError(
            f'none of the {len(has_match)} queries has a match in the gallery, so there is nothing to average; '
            'check that query_pids and gallery_pids come from the same data set and that it has captions.'
        )
    first = scores.first_rank[has_match]
    figures = {f'R@{k}': (first <= k).double().mean() for k in topk}
    figures['mAP'] = scores.average_precision[has_match].mean()
    figures['mINP'] = scores.inverse_negative_penalty[has_match].mean()
    return {name: 100 * value.item() for name, value in figures.items()}


def _summarize_and_warn(scores: QueryScores, topk: Sequence[int]) -> dict[str, float]:
    """Average, and warn once if queries were left out."""
    figures = summarize(scores, topk)
    left_out = int((~scores.has_match).sum())
    if left_out:
        warnings.warn(
            f'{left_out} of {len(scores.has_match)} queries have no match in the gallery and are left out of every '
            'average.',
            stacklevel=3,
        )
    return figures


def rank_metrics(
    similarity: Any, query_pids: Any, gallery_pids: Any, topk: Sequence[int] = (1, 5, 10)
) -> dict[str, float]:
    """Compute CMC, mAP and mINP from a similarity matrix.

    The formulas are given at the top of this module. Ties keep gallery order. Queries without a match are left out of
    every average and counted in one warning.

    Args:
        similarity: Similarities (Q, G), larger is better; half precision is promoted to float32.
        query_pids: Person ids (Q,).
        gallery_pids: Person ids (G,).
        topk: Ranks at which CMC is reported; they may exceed the gallery. Defaults to (1, 5, 10), as papers of the
            field do.

    Returns:
        ``R@k`` for every k of ``topk``, ``mAP`` and ``mINP``, in percent.

    Raises:
        TypeError: If the similarities are not floating-point numbers or the ids not integers.
        ValueError: If shapes disagree, a similarity is NaN, ``topk`` is empty or no query has a match.

    Example:
        >>> similarity = torch.tensor([[0.9, 0.8, 0.1], [0.2, 0.3, 0.3]])
        >>> rank_metrics(similarity, [7, 8], [8, 7, 8], topk=(1, 2))
        {'R@1': 0.0, 'R@2': 100.0, 'mAP': 54.166666666666664, 'mINP': 58.33333333333333}
    """
    topk = check_topk(topk)
    return _summarize_and_warn(score_similarity(similarity, query_pids, gallery_pids), topk)


def rank_features(
    query_feats: Any,
    query_pids: Any,
    gallery_feats: Any,
    gallery_pids: Any,
    topk: Sequence[int] = (1, 5, 10),
    chunk_size: int | None = None,
) -> dict[str, float]:
    """Compute CMC, mAP and mINP from features, by cosine similarity and in bounded memory.

    The same as :func:`rank_metrics` of the cosine similarities, of which only a block is in memory at a time. Equal
    gallery items have equal similarities for every chunk size, and so keep gallery order.

    Args:
        query_feats: Features (Q, D); normalised inside.
        query_pids: Person ids (Q,).
        gallery_feats: Features (G, D); normalised inside.
        gallery_pids: Person ids (G,).
        topk: Ranks at which CMC is reported. Defaults to (1, 5, 10), as papers of the field do.
        chunk_size: Queries per block; memory beyond the features is about chunk_size x G numbers. Defaults to None:
            blocks of some megabytes.

    Returns:
        ``R@k`` for every k of ``topk``, ``mAP`` and ``mINP``, in percent.

    Raises:
        TypeError: If features are not floating-point numbers or ids not integers.
        ValueError: If shapes disagree, a feature is not finite, ``topk`` is empty, ``chunk_size`` is below 1 or no
            query has a match.
    """
    topk = check_topk(topk)
    scores = score_features(query_feats, query_pids, gallery_feats, gallery_pids, chunk_size)
    return _summarize_and_warn(scores, topk)
