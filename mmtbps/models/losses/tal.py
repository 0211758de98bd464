"""Triplet alignment."""

import torch
from torch import Tensor
from torch.nn import functional as F

from mmtbps.core.precision import at_least_float32

from .reduction import reduce_rows

__all__ = ['tal_loss', 'tal_rows']


@at_least_float32
def tal_rows(
    queries: Tensor,
    candidates: Tensor,
    query_ids: Tensor,
    candidate_ids: Tensor,
    tau: float = 0.015,
    margin: float = 0.1,
    reduction: str = 'mean',
) -> Tensor:
    """One direction of :func:`tal_loss`: some queries against all candidates.

    Args:
        queries: Features, (N, D); normalised here.
        candidates: Features of the other modality, (M, D); normalised here.
        query_ids: Identities, (N,).
        candidate_ids: Identities, (M,).
        tau: Temperature; the smaller, the more the hardest negative alone counts.
        margin: By how much positives should be nearer than negatives.
        reduction: ``'mean'`` over the queries, or ``'none'`` for the loss of each, (N,).

    Returns:
        The mean over the queries (a scalar) or one value for each (N,). A query without a negative or without a
        positive gives the term 0, and no gradient.
    """
    similarities = F.normalize(queries, dim=1) @ F.normalize(candidates, dim=1).t()
    same = query_ids[:, None] == candidate_ids[None, :]
    complete = same.any(dim=1) & ~same.all(dim=1)
    # Rows that do not count keep all entries: a row of infinities would give an undefined gradient.
    negatives = (similarities / tau).masked_fill(same & complete[:, None], float('-inf'))
    hardness = tau * torch.logsumexp(negatives, dim=1)
    logits = (similarities.detach() / tau).masked_fill(~same & complete[:, None], float('-inf'))
    positive = (logits.softmax(dim=1) * similarities).sum(dim=1)
    return reduce_rows(torch.where(complete, (margin - positive + hardness).clamp_min(0), 0.0), reduction)


def tal_loss(
    image_features: Tensor,
    text_features: Tensor,
    labels: Tensor,
    tau: float = 0.015,
    margin: float = 0.1,
    weights: Tensor | None = None,
) -> Tensor:
    """Align triplets with a soft hardest negative (TAL; Qin et al., RDE, CVPR 2024, Eq. 6-8).

    Per pair ``[m - sum_j a_ij s_ij + tau log sum_{j: y_j != y_i} exp(s_ij / tau)]_+`` with s the cosines and a the
    softmax of s / tau over the pairs of the identity, without gradient; plus the mirrored term, which is clamped by
    itself. The pairs are **summed**, so that gradients grow with the batch.

    Args:
        image_features: (B, D).
        text_features: (B, D).
        labels: Identities, (B,), of the images and of the texts.
        tau: 0.015 is the published value. Any above 0 is safe: exponentials are shifted before they are summed.
        margin: 0.1 is the published value.
        weights: Factor of each pair, (B,). Defaults to None: 1.

    Returns:
        A scalar.
    """
    settings = (labels, labels, tau, margin, 'none')
    rows = tal_rows(image_features, text_features, *settings) + tal_rows(text_features, image_features, *settings)
    return rows.sum() if weights is None else (weights * rows).sum()
