"""Re-ranking what a first look found, for galleries that outgrow a full re-ranking."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .checks import positive, unit_pair
from .neighbors import Rows, largest, nearest


@torch.no_grad()
def rerank_shortlist(
    query_feats: Any, gallery_feats: Any, prepare: Callable[[Tensor, Tensor], Rows], size: int = 500
) -> tuple[Tensor, Tensor]:
    """Re-rank the ``size`` gallery items nearest to each query, each query on its own.

    A full re-ranking compares the gallery with itself, G x G. Here each query meets only its shortlist, Q x size x
    size, as if that were the whole gallery; so sets of neighbours lack what lies outside, and the answer is close to
    that of the full method, not equal. ``tools/analysis_tools/benchmark.py rerank`` measures how close.

    Args:
        query_feats: Features (Q, D); normalised inside, half types are promoted to float32.
        gallery_feats: Features (G, D), G >= 1; the same.
        prepare: The method: a function from features (1, D) and (size, D) to similarities on demand, as
            :meth:`mmtbps.evaluation.Reranker.prepare` of a registered re-ranker.
        size: Items in a shortlist, K; more than G is G. Defaults to 500, with which the ten best were those of the
            full methods for 99 % of queries (docs/evaluation.md).

    Returns:
        Gallery numbers (Q, K) and their new similarities (Q, K), the best first; ties keep the order of the plain
        ranking.

    Raises:
        TypeError: If features are not floating numbers.
        ValueError: If shapes disagree, the gallery is empty, a feature is not finite or ``size`` is below 1.
    """
    query, gallery = unit_pair(query_feats, gallery_feats)
    positive(len(gallery), 'the number of gallery_feats')
    found = nearest(query, gallery, positive(size, 'size'))
    similarity = query.new_empty(found.shape)
    for number, shortlist in enumerate(found):
        own = prepare(query[number : number + 1], gallery[shortlist])(torch.arange(1))
        order = largest(own, len(shortlist))[0]
        found[number], similarity[number] = shortlist[order], own[0, order]
    return found, similarity
