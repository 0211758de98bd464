"""k-reciprocal encoding (Zhong et al., CVPR 2017), sparse and blocked."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmtbps.core.checks import in_unit, positive

from .checks import unit_pair
from .neighbors import Cosine, Rows, all_rows, chunk_rows, largest
from .sparse import SparseRows, merge, weighted_jaccard


class _Neighbors(NamedTuple):
    """Nearest items of each item, and the normalisation of its distances.

    Attributes:
        near: The nearest items of each item, nearest first, (N, K).
        factor: 2 / the largest ``2 - 2 cos`` of each item, (N,), so that the distance is ``factor * (1 - cos)``. If all
            items coincide, the largest is only rounding, and the factor is 0.
    """

    near: Tensor
    factor: Tensor


def _neighbors(items: Tensor, k: int) -> _Neighbors:
    """Find the nearest items of every item, and its largest distance."""
    near, lowest = [], []
    for block in Cosine(items, items).blocks():
        near.append(largest(block, k))
        lowest.append(block.amin(dim=1))
    largest_distance = 2 - 2 * torch.cat(lowest)
    rounding = 16 * torch.finfo(items.dtype).eps
    return _Neighbors(torch.cat(near), torch.where(largest_distance > rounding, 2 / largest_distance, 0))


def _mutual(near: Tensor) -> Tensor:
    """Which of an item's neighbours (N, K) have the item among theirs."""
    count, k = near.shape
    own = torch.arange(count, device=near.device)[:, None, None]
    size = chunk_rows(count, 2 * k * k)
    return torch.cat([(near[n] == o).any(dim=2) for n, o in zip(near.split(size), own.split(size), strict=True)])


def _reciprocal_sets(near: Tensor, part: slice, mutual: Tensor, half_mutual: Tensor, flags: Tensor) -> Tensor:
    """Find the expanded k-reciprocal sets of some items.

    Args:
        near: Nearest items (N, K).
        part: The b items whose sets are wanted.
        mutual: Which of the k1 + 1 nearest are mutual (N, k1 + 1).
        half_mutual: The same of the nearest of the half sets (N, h + 1).
        flags: Buffer (b, N) of flags, all False before and after.

    Returns:
        Places ``row * N + member``, ascending; rows are counted from the start of the part.
    """
    half = near[:, : half_mutual.size(1)]
    members, is_member = near[part, : mutual.size(1)], mutual[part]
    candidates, is_candidate = half[members], half_mutual[members]
    flags.scatter_(1, members, is_member)
    overlap = flags.gather(1, candidates.flatten(1)).view_as(candidates) & is_candidate
    flags.scatter_(1, members, False)
    # More than 2/3 of the half set, in integers.
    joins = is_member & (3 * overlap.sum(dim=2) > 2 * is_candidate.sum(dim=2))
    first = torch.arange(len(members), device=near.device)[:, None] * len(near)
    own = (first + members)[is_member]
    joined = (first[:, :, None] + candidates)[is_candidate & joins[:, :, None]]
    return torch.cat([own, joined]).sort().values.unique_consecutive()


def _pair_cosines(items: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Cosine similarity of pairs of items."""
    size = chunk_rows(len(row), 3 * items.size(1))
    pairs = zip(row.split(size), column.split(size), strict=True)
    return torch.cat([(items[r] * items[c]).sum(dim=1) for r, c in pairs])


def _weights(items: Tensor, found: _Neighbors, k1: int) -> SparseRows:
    """Encode each item by its expanded k-reciprocal set, with weights exp(-d) that sum to 1."""
    near, factor = found
    count = len(items)
    mutual, half_mutual = _mutual(near[:, : k1 + 1]), _mutual(near[:, : round(k1 / 2) + 1])
    # A part needs a flag for each item, and some numbers of 8 bytes for each candidate.
    size = chunk_rows(count, max(count, 16 * half_mutual.size(1) * mutual.size(1)))
    flags = torch.zeros(size, count, dtype=torch.bool, device=items.device)
    rows, columns, values = [], [], []
    for start in range(0, count, size):
        part = slice(start, min(start + size, count))
        place = _reciprocal_sets(near, part, mutual, half_mutual, flags[: part.stop - start])
        row, column = place // count, place % count
        rows.append(row + start)
        columns.append(column)
        weight = (factor[rows[-1]] * (_pair_cosines(items, rows[-1], column) - 1)).exp()
        total = weight.new_zeros(size).index_add_(0, row, weight)
        values.append(weight / total[row])
    return SparseRows.build(torch.cat(rows), torch.cat(columns), torch.cat(values), count)


def _average(weights: SparseRows, near: Tensor) -> SparseRows:
    """Replace each row by the mean of its nearest items' rows."""
    count, k = near.shape
    places, values = [], []
    size = chunk_rows(count, 256 * k)
    for start in range(0, count, size):
        owner, column, value = weights.entries(near[start : start + size].flatten())
        place, total = merge((owner // k + start) * count + column, value / k)
        places.append(place)
        values.append(total)
    place = torch.cat(places)
    return SparseRows.build(place // count, place % count, torch.cat(values), count)


@torch.no_grad()
def k_reciprocal_rows(
    query_feats: Any, gallery_feats: Any, k1: int = 20, k2: int = 6, lambda_value: float = 0.3
) -> Rows:
    """Prepare :func:`k_reciprocal_distance` and compute its rows on demand.

    Args:
        query_feats: Features (Q, D).
        gallery_feats: Features (G, D).
        k1: Neighbours that must be mutual. Defaults to 20, as in the paper.
        k2: Neighbours averaged. Defaults to 6, as in the paper.
        lambda_value: Weight of the original distance. Defaults to 0.3, as in the paper.

    Returns:
        A function from query numbers (b,) to distances (b, G).

    Raises:
        TypeError: If features are not floating-point numbers.
        ValueError: If shapes disagree, the gallery is empty, a feature is not finite or a setting is out of range.
    """
    query, gallery = unit_pair(query_feats, gallery_feats)
    positive(len(gallery), 'the number of gallery_feats')
    k1, k2, lambda_value = positive(k1, 'k1'), positive(k2, 'k2'), in_unit(lambda_value, 'lambda_value')
    items = torch.cat([query, gallery])
    found = _neighbors(items, max(k1 + 1, k2))
    weights = _weights(items, found, k1)
    if k2 > 1:
        weights = _average(weights, found.near[:, :k2])
    cosine = Cosine(query, gallery)
    members = weights.tail(len(query)).transpose(len(items))

    def rows(numbers: Tensor) -> Tensor:
        numbers = numbers.to(query.device)
        jaccard = weighted_jaccard(weights, numbers, members, len(gallery), 2.0)
        plain = lambda_value * found.factor[numbers, None]
        # In place: (1 - lambda) (1 - J) + lambda d, where d = factor (1 - cos).
        return cosine(numbers).mul_(-plain).add_(plain + 1 - lambda_value).sub_(jaccard, alpha=1 - lambda_value)

    return rows


@torch.no_grad()
def k_reciprocal_distance(
    query_feats: Any, gallery_feats: Any, k1: int = 20, k2: int = 6, lambda_value: float = 0.3
) -> Tensor:
    r"""Measure distance by shared k-reciprocal neighbours.

    After Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017, section 3. Over
    all N = Q + G items together, queries first:

    1. :math:`d_{ij} = (2 - 2 \cos_{ij}) / \max_j (2 - 2 \cos_{ij})`; a row whose items all coincide is 0.
    2. :math:`R_k(i)`: those of the k + 1 nearest items of i (itself included) that have i among theirs.
    3. :math:`R^*(i) = R_{k_1}(i)`, joined with :math:`R_h(j)`, h = round(k1 / 2) as Python rounds, of every j in it
       of which more than 2/3 lies in :math:`R_{k_1}(i)`.
    4. :math:`v_{ij} \propto \exp(-d_{ij})` for j in :math:`R^*(i)`, else 0, with row sum 1. A row without any mutual
       neighbour, possible among more than k1 exact duplicates, is 0.
    5. Local query expansion: each row becomes the mean of the rows of its k2 nearest items; k2 = 1 leaves it.
    6. :math:`(1 - \lambda) (1 - m / (2 - m)) + \lambda d`, :math:`m_{qg} = \sum_j \min(v_{qj}, v_{gj})`.

    Ties keep index order. The rows v are stored sparsely, and everything of width N is computed block by block: memory
    beyond features and result is about N (k1 + 1) neighbours, the entries of v, and blocks of 64 MB.

    Args:
        query_feats: Features (Q, D) of images or texts; normalised inside, half precision is promoted to float32.
        gallery_feats: Features (G, D), G >= 1; the same.
        k1: Neighbours that must be mutual. Defaults to 20, as in the paper.
        k2: Neighbours averaged, including the item itself. Defaults to 6, as in the paper.
        lambda_value: Weight of the original distance, in 0..1. Defaults to 0.3, as in the paper.

    Returns:
        Distances (Q, G), smaller is better.

    Raises:
        TypeError: If features are not floating-point numbers.
        ValueError: If shapes disagree, the gallery is empty, a feature is not finite, ``k1`` or ``k2`` is below 1, or
            ``lambda_value`` is outside 0..1.
    """
    rows = k_reciprocal_rows(query_feats, gallery_feats, k1, k2, lambda_value)
    return all_rows(rows, len(query_feats), len(gallery_feats))
