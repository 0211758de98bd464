"""Average query expansion."""

from typing import Any

import torch
from torch import Tensor

from mmtbps.core.checks import positive

from .checks import unit_pair
from .neighbors import nearest


@torch.no_grad()
def average_query_expansion(query_feats: Any, gallery_feats: Any, k: int = 5) -> Tensor:
    r"""Replace each query by the mean of itself and its nearest gallery items.

    :math:`\hat q = (q + \sum_{g \in N_k(q)} g) / (k + 1)` with q and g of length 1, then scaled to length 1 (Chum et
    al., "Total Recall", ICCV 2007). Ties keep gallery order.

    Args:
        query_feats: Features (Q, D); normalised inside, half precision is promoted to float32.
        gallery_feats: Features (G, D), G >= 1; the same.
        k: Number of gallery items averaged, at most G. Defaults to 5, as in :func:`neighbor_jaccard`.

    Returns:
        Expanded queries (Q, D), of length 1.

    Raises:
        TypeError: If features are not floating-point numbers.
        ValueError: If shapes disagree, the gallery is empty, a feature is not finite or ``k`` is below 1.
    """
    query, gallery = unit_pair(query_feats, gallery_feats)
    positive(len(gallery), 'the number of gallery_feats')
    found = nearest(query, gallery, positive(k, 'k'))
    # One neighbour at a time, to avoid a tensor (Q, k, D).
    total = query.clone()
    for column in found.T:
        total += gallery[column]
    return torch.nn.functional.normalize(total, dim=1)
