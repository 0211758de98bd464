"""Exact ranking figures, without sorting the gallery.

Terms. A *right answer* of a query is a gallery item with the query's person id. Items are ranked by falling
similarity; equal similarities keep gallery order (a stable sort). With the ranks ``r_1 < ... < r_n`` (counted from
1) of a query's n right answers:

    hit at k                   1 if r_1 <= k else 0               mean over queries: CMC, here R@k
    average precision          1/n * sum_i i / r_i                mean over queries: mAP (un-interpolated, full list)
    inverse negative penalty   n / r_n                            mean over queries: mINP (Ye et al., PAMI 2021)

Queries without a right answer are left out of every mean.

How. The rank of an item is 1 + the items before it in gallery order that are at least as similar + the items after
it that are more similar: a count, hence no sort. All queries of one person share their right answers, so the counts
of a person's queries are taken together.
"""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmtbps.core.checks import positive

from .checks import as_float, as_ids, check_topk, unit_pair
from .neighbors import Cosine, Rows, chunk_rows

_SORT_ABOVE = 128
"""A person with more right answers than this is ranked by a sort, whose cost does not grow with them."""


class QueryScores(NamedTuple):
    """What each query scores, in query order, on the host.

    ``first_rank`` (Q,) int64 is the rank of the first right answer, 0 where there is none. ``average_precision`` and
    ``inverse_negative_penalty`` (Q,) float64 are in 0..1, and 0 where there is no right answer.
    """

    first_rank: Tensor
    average_precision: Tensor
    inverse_negative_penalty: Tensor

    @property
    def answered(self) -> Tensor:
        """Which queries have a right answer, bool (Q,)."""
        return self.first_rank > 0


def _count_ahead(block: Tensor, answers: list[int]) -> Tensor:
    """Count what ranks before each of n answers in each of b rows (b, G), on any device: (b, n)."""
    counts = [
        (block[:, :column] >= block[:, column, None]).sum(dim=1)
        + (block[:, column:] > block[:, column, None]).sum(dim=1)
        for column in answers
    ]
    return torch.stack(counts, dim=1)


def _count_ahead_on_host(block: np.ndarray, answers: list[int]) -> Tensor:
    """The same on the CPU: NumPy compares and counts several times faster than torch, on one core."""
    ahead = np.empty(block.shape, dtype=bool)
    counts = np.empty((len(block), len(answers)), dtype=np.int64)
    for i, column in enumerate(answers):
        own = block[:, column, None]
        np.greater_equal(block[:, :column], own, out=ahead[:, :column])
        np.greater(block[:, column:], own, out=ahead[:, column:])
        counts[:, i] = [np.count_nonzero(row) for row in ahead]
    return torch.from_numpy(counts)


def _answer_ranks(block: Tensor, answers: list[int]) -> Tensor:
    """Rank the n right answers, given as columns, of b queries (b, G): ranks (b, n) from 1, ascending in each row."""
    if len(answers) > _SORT_ABOVE:
        right = torch.zeros(block.size(1), dtype=torch.bool, device=block.device)
        right[answers] = True
        order = block.argsort(dim=1, descending=True, stable=True)
        return right[order].nonzero()[:, 1].view(len(block), len(answers)) + 1
    on_host = block.device.type == 'cpu'
    counts = _count_ahead_on_host(block.numpy(), answers) if on_host else _count_ahead(block, answers)
    return counts.sort(dim=1).values + 1


def _persons(query_pids: Tensor, gallery_pids: Tensor, order: Tensor) -> Iterator[tuple[slice, list[int]]]:
    """Of sorted queries and a sorted gallery: each person's queries and right answers, where there are any."""
    persons, sizes = query_pids.unique_consecutive(return_counts=True)
    low = torch.searchsorted(gallery_pids, persons).tolist()
    high = torch.searchsorted(gallery_pids, persons, right=True).tolist()
    ends = sizes.cumsum(0).tolist()
    for begin, end, left, right in zip([0, *ends], ends, low, high, strict=False):
        if left < right:
            yield slice(begin, end), order[left:right].tolist()


@torch.no_grad()
def score_rows(rows: Rows, query_pids: Any, gallery_pids: Any, chunk_size: int | None = None) -> QueryScores:
    """Score every query of a similarity matrix of which rows are made on demand.

    Args:
        rows: A function from query numbers (b,) int64 to similarities (b, G), the larger the better.
        query_pids: Person ids (Q,).
        gallery_pids: Person ids (G,).
        chunk_size: Queries asked for at a time; memory is about chunk_size x G numbers. Defaults to None: as many as
            make a block of some megabytes.

    Returns:
        One entry per query.

    Raises:
        TypeError: If the similarities are not floating numbers or the ids not integers.
        ValueError: If the rows have a wrong shape, a similarity is NaN or ``chunk_size`` is below 1.
    """
    query_pids, gallery_pids = as_ids(query_pids, 'query_pids'), as_ids(gallery_pids, 'gallery_pids')
    size = chunk_rows(len(query_pids), len(gallery_pids)) if chunk_size is None else positive(chunk_size, 'chunk_size')
    sorted_pids, order = gallery_pids.sort(stable=True)
    places, figures = [], []
    for chunk in query_pids.argsort(stable=True).split(size):
        block = as_float(rows(chunk), 'similarity')
        if block.shape != (len(chunk), len(gallery_pids)):
            raise ValueError(f'rows must give {(len(chunk), len(gallery_pids))} numbers, got {tuple(block.shape)}.')
        if block.isnan().any():
            raise ValueError('similarity has NaN, so its items have no order; the model diverged or divided by zero.')
        for part, answers in _persons(query_pids[chunk], sorted_pids, order):
            places.append(chunk[part])
            figures.append(_figures(_answer_ranks(block[part], answers)))
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
        similarity: Similarities (Q, G), the larger the better; half types are promoted to float32.
        query_pids: Person ids (Q,).
        gallery_pids: Person ids (G,).

    Returns:
        One entry per query.

    Raises:
        TypeError: If the similarities are not floating numbers or the ids not integers.
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
        chunk_size: Queries ranked at a time; memory above the features is about chunk_size x G numbers.
            Defaults to None: as many as make a block of some megabytes.

    Returns:
        One entry per query.

    Raises:
        TypeError: If features are not floating numbers or ids not integers.
        ValueError: If shapes disagree, a feature is not finite or ``chunk_size`` is below 1.
    """
    query, gallery = unit_pair(query_feats, gallery_feats)
    query_pids = as_ids(query_pids, 'query_pids', len(query))
    gallery_pids = as_ids(gallery_pids, 'gallery_pids', len(gallery))
    return score_rows(Cosine(query, gallery), query_pids, gallery_pids, chunk_size)


def summarize(scores: QueryScores, topk: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
    """Average over the queries that have a right answer.

    Args:
        scores: The queries' scores.
        topk: The ranks at which CMC is reported. Defaults to (1, 5, 10), as papers of the field do.

    Returns:
        ``R@k`` for every k of ``topk``, ``mAP`` and ``mINP``, in percent.

    Raises:
        ValueError: If no query has a right answer, so that no average exists.
    """
    topk = check_topk(topk)
    answered = scores.answered
    if not answered.any():
        raise ValueError(
            f'none of the {len(answered)} queries has a right answer in the gallery, so there is nothing to average; '
            'check that query_pids and gallery_pids come from the same data set and that it has captions.'
        )
    first = scores.first_rank[answered]
    figures = {f'R@{k}': (first <= k).double().mean() for k in topk}
    figures['mAP'] = scores.average_precision[answered].mean()
    figures['mINP'] = scores.inverse_negative_penalty[answered].mean()
    return {name: 100 * value.item() for name, value in figures.items()}


def _summarize_and_warn(scores: QueryScores, topk: Sequence[int]) -> dict[str, float]:
    """Average, and say once how many queries were left out."""
    figures = summarize(scores, topk)
    left_out = int((~scores.answered).sum())
    if left_out:
        warnings.warn(
            f'{left_out} of {len(scores.answered)} queries have no right answer in the gallery and are left out of '
            'every average.',
            stacklevel=3,
        )
    return figures


def rank_metrics(
    similarity: Any, query_pids: Any, gallery_pids: Any, topk: Sequence[int] = (1, 5, 10)
) -> dict[str, float]:
    """Compute CMC, mAP and mINP from a similarity matrix.

    The formulas stand at the top of this module. Ties keep gallery order. Queries without a right answer are left
    out of every average and counted in one warning.

    Args:
        similarity: Similarities (Q, G), the larger the better; half types are promoted to float32.
        query_pids: Person ids (Q,).
        gallery_pids: Person ids (G,).
        topk: The ranks at which CMC is reported; ranks beyond the gallery are fine. Defaults to (1, 5, 10), as papers
            of the field do.

    Returns:
        ``R@k`` for every k of ``topk``, ``mAP`` and ``mINP``, in percent.

    Raises:
        TypeError: If the similarities are not floating numbers or the ids not integers.
        ValueError: If shapes disagree, a similarity is NaN, ``topk`` is empty or no query has a right answer.

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

    The same as :func:`rank_metrics` of the cosine similarities, which are never held all at once. Equal gallery items
    have equal similarities, whatever the chunk size, and so keep gallery order.

    Args:
        query_feats: Features (Q, D); normalised inside.
        query_pids: Person ids (Q,).
        gallery_feats: Features (G, D); normalised inside.
        gallery_pids: Person ids (G,).
        topk: The ranks at which CMC is reported. Defaults to (1, 5, 10).
        chunk_size: Queries ranked at a time; memory above the features is about chunk_size x G numbers.
            Defaults to None: as many as make a block of some megabytes.

    Returns:
        ``R@k`` for every k of ``topk``, ``mAP`` and ``mINP``, in percent.

    Raises:
        TypeError: If features are not floating numbers or ids not integers.
        ValueError: If shapes disagree, a feature is not finite, ``topk`` is empty, ``chunk_size`` is below 1 or no
            query has a right answer.
    """
    topk = check_topk(topk)
    scores = score_features(query_feats, query_pids, gallery_feats, gallery_pids, chunk_size)
    return _summarize_and_warn(scores, topk)
