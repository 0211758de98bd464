"""Re-ranking of shortlists, for galleries that are too large for a full re-ranking."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive

from .checks import unit_pair
from .neighbors import Rows, largest, nearest


@torch.no_grad()
def shortlist_jaccard(
    query_feats: Any, gallery_feats: Any, k: int = 5, size: int = 50
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute :func:`neighbor_jaccard` for the ``size`` gallery items nearest to each query alone.

    The indices equal those of the full method: neighbours are searched in the whole gallery, but for shortlisted items
    only, with at most Q x size x G instead of G x G products. Since the index adds at most 0.05 in the paper's
    re-ranking, a shortlist contains the items that can reach the top.

    Args:
        query_feats: Features (Q, D); normalised inside, half precision is promoted to float32.
        gallery_feats: Features (G, D), G >= 1; the same.
        k: Number of neighbours, at most G. Defaults to 5, as in the paper's code.
        size: Length of a shortlist K, at most G. Defaults to 50, enough for the ten best.

    Returns:
        Gallery numbers, cosine similarities and Jaccard indices (Q, K), most similar first.

    Raises:
        TypeError: If features are not floating-point numbers.
        ValueError: If shapes disagree, the gallery is empty, a feature is not finite, or ``k`` or ``size`` is below 1.
    """
    query, gallery = unit_pair(query_feats, gallery_feats)
    positive(len(gallery), 'the number of gallery_feats')
    k, size = min(positive(k, 'k'), len(gallery)), positive(size, 'size')
    near = nearest(query, gallery, max(k, size))
    found = near[:, :size]
    items, place = found.unique(return_inverse=True)
    sets = nearest(gallery[items], gallery, k)
    cosine, shared = query.new_empty(found.shape), query.new_empty(found.shape)
    for i, own in enumerate(near[:, :k]):
        # Row by row, not as a matrix product, so that duplicates tie.
        cosine[i] = (gallery[found[i]] * query[i]).sum(dim=1)
        shared[i] = torch.isin(sets[place[i]], own).sum(dim=1)
    return found, cosine, shared / (2 * k - shared)


@torch.no_grad()
@checked()
def rerank_shortlist(
    query_feats: Any, gallery_feats: Any, prepare: Callable[[Tensor, Tensor], Rows], size: int = 500
) -> tuple[Tensor, Tensor]:
    """Re-rank the ``size`` gallery items nearest to each query with any method, one query at a time.

    A full re-ranking compares the gallery with itself, G x G. Here each query sees only its shortlist as if that were
    the whole gallery, Q x size x size. Neighbours outside the shortlist are missing, so that the result approximates
    the full method well only if persons are well separated in feature space; ``tools/analysis_tools/benchmark.py
    rerank`` measures how well. For the paper's method, :func:`shortlist_jaccard` is exact.

    Args:
        query_feats: Features (Q, D); normalised inside, half precision is promoted to float32.
        gallery_feats: Features (G, D), G >= 1; the same.
        prepare: The method: a function from features (1, D) and (size, D) to similarities on demand, such as
            :meth:`mmtbps.evaluation.Reranker.prepare` of a re-ranker.
        size: Length of a shortlist K, at most G. Defaults to 500; longer ones are closer to the full method.

    Returns:
        Gallery numbers (Q, K) and their new similarities (Q, K), best first; ties keep the order of the ranking by
        cosine.

    Raises:
        TypeError: If features are not floating-point numbers.
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
