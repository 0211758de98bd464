"""Jaccard index of the neighbours of query and gallery item, the cross-modal re-ranking of CM-MoCo."""

from typing import Any

import torch
from torch import Tensor

from mmtbps.core.checks import positive

from .checks import unit_pair
from .neighbors import Rows, nearest
from .sparse import SparseRows, weighted_jaccard


def _as_rows(neighbors: Tensor, dtype: torch.dtype) -> SparseRows:
    """Convert sets of equal size (n, k) to sparse rows of ones."""
    count, k = neighbors.shape
    start = torch.arange(0, count * k + 1, k, device=neighbors.device)
    return SparseRows(start, neighbors.flatten(), torch.ones(count * k, dtype=dtype, device=neighbors.device))


@torch.no_grad()
def neighbor_jaccard_rows(query_feats: Any, gallery_feats: Any, k: int = 5) -> Rows:
    """Prepare :func:`neighbor_jaccard` and compute its rows on demand.

    Args:
        query_feats: Features (Q, D).
        gallery_feats: Features (G, D).
        k: Number of neighbours. Defaults to 5, as in the paper's code.

    Returns:
        A function from query numbers (b,) to Jaccard indices (b, G).

    Raises:
        TypeError: If features are not floating-point numbers.
        ValueError: If shapes disagree, the gallery is empty, a feature is not finite or ``k`` is below 1.
    """
    query, gallery = unit_pair(query_feats, gallery_feats)
    positive(len(gallery), 'the number of gallery_feats')
    k = min(positive(k, 'k'), len(gallery))
    near = nearest(torch.cat([query, gallery]), gallery, k)
    sets = _as_rows(near[: len(query)], query.dtype)
    members = _as_rows(near[len(query) :], query.dtype).transpose(len(gallery))
    return lambda rows: weighted_jaccard(sets, rows.to(query.device), members, len(gallery), 2 * k)


@torch.no_grad()
def neighbor_jaccard(query_feats: Any, gallery_feats: Any, k: int = 5) -> Tensor:
    r"""Measure how many neighbours a query and a gallery item share.

    :math:`J(q, g) = |N(q) \cap N(g)| / |N(q) \cup N(g)|`, where N is the set of the k nearest gallery items by cosine
    similarity, of a gallery item as well: itself included, and always within the gallery's modality. Ties keep
    gallery order. Han et al. (BMVC 2021) rank by ``similarity + 0.05 * J``; the index here is not scaled.

    Only pairs that share a neighbour are visited, about Q k^2 of the Q G; time is that of the products Q x G and
    G x G, and memory beyond the features is that of the result.

    Args:
        query_feats: Features (Q, D); normalised inside, half precision is promoted to float32.
        gallery_feats: Features (G, D), G >= 1; the same.
        k: Number of neighbours, at most G, for which all indices are 1. Defaults to 5, as in the paper's code.

    Returns:
        Jaccard indices (Q, G) in 0..1.

    Raises:
        TypeError: If features are not floating-point numbers.
        ValueError: If shapes disagree, the gallery is empty, a feature is not finite or ``k`` is below 1.

    Example:
        >>> gallery = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
        >>> neighbor_jaccard(gallery[:1], gallery, k=2)
        tensor([[1.0000, 1.0000, 0.3333]])
    """
    return neighbor_jaccard_rows(query_feats, gallery_feats, k)(torch.arange(len(query_feats)))
