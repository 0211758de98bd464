"""Distribution of the similarities of matching and non-matching pairs."""

from typing import Any

import torch
from torch import Tensor

from mmtbps.core.checks import positive

from .checks import as_ids, unit_pair
from .neighbors import Cosine


@torch.no_grad()
def similarity_histogram(
    query_feats: Any, query_pids: Any, gallery_feats: Any, gallery_pids: Any, bins: int = 200
) -> tuple[Tensor, Tensor]:
    """Count the cosine similarities of all pairs of a query and a gallery item, in bounded memory.

    Args:
        query_feats: Features (Q, D); normalised inside.
        query_pids: Person ids (Q,).
        gallery_feats: Features (G, D); normalised inside.
        gallery_pids: Person ids (G,).
        bins: Number of equal bins between -1 and 1. Defaults to 200, steps of 0.01.

    Returns:
        Counts of matching pairs (of one person) and of non-matching pairs, int64 (bins,) each, on the host.

    Raises:
        TypeError: If features are not floating-point numbers or ids not integers.
        ValueError: If shapes disagree, a feature is not finite or ``bins`` is below 1.
    """
    query, gallery = unit_pair(query_feats, gallery_feats)
    positive(bins, 'bins')
    gallery_pids = as_ids(gallery_pids, 'gallery_pids', len(gallery)).to(query.device)
    query_pids = as_ids(query_pids, 'query_pids', len(query)).to(query.device)
    counts = torch.zeros(2, bins, dtype=torch.int64)
    begin = 0
    for block in Cosine(query, gallery).blocks():
        same = query_pids[begin : begin + len(block), None] == gallery_pids
        place = ((block + 1) * (bins / 2)).long().clamp_(0, bins - 1)
        counts[0] += torch.bincount(place[same], minlength=bins).cpu()
        counts[1] += torch.bincount(place.flatten(), minlength=bins).cpu()
        begin += len(block)
    counts[1] -= counts[0]
    return counts[0], counts[1]
