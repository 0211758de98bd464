"""Similarity distribution matching."""

from torch import Tensor
from torch.nn import functional as F

from mmtbps.core.precision import at_least_float32

from .reduction import reduce_rows

__all__ = ['sdm_loss', 'sdm_rows']


@at_least_float32
def sdm_rows(
    queries: Tensor,
    candidates: Tensor,
    query_ids: Tensor,
    candidate_ids: Tensor,
    temperature: float | Tensor = 0.02,
    epsilon: float = 1e-8,
    reduction: str = 'mean',
) -> Tensor:
    """One direction of :func:`sdm_loss`: some queries against all candidates.

    Args:
        queries: Features, (N, D); normalised here.
        candidates: Features of the other modality, (M, D); normalised here.
        query_ids: Identities, (N,).
        candidate_ids: Identities, (M,).
        temperature: Divides the cosine similarities. A scalar tensor receives a gradient.
        epsilon: Keeps the logarithm of the target finite.
        reduction: ``'mean'`` over the queries, or ``'none'`` for the loss of each, (N,).

    Returns:
        KL divergence, the mean over the queries (a scalar) or one value for each (N,). A query whose identity no
        candidate has gets the price of mass on wrong pairs, ``-log epsilon`` less its entropy.
    """
    log_p = F.log_softmax(F.normalize(queries, dim=1) @ F.normalize(candidates, dim=1).t() / temperature, dim=1)
    same = (query_ids[:, None] == candidate_ids[None, :]).to(log_p.dtype)
    target = same / same.sum(dim=1, keepdim=True).clamp_min(1)
    return reduce_rows((log_p.exp() * (log_p - (target + epsilon).log())).sum(dim=1), reduction)


def sdm_loss(
    image_features: Tensor,
    text_features: Tensor,
    labels: Tensor,
    temperature: float | Tensor = 0.02,
    epsilon: float = 1e-8,
) -> Tensor:
    """Match the distribution of similarities with that of identities (SDM; Jiang & Ye, IRRA, CVPR 2023, Eq. 4-6).

    ``mean_i sum_j p_ij (log p_ij - log(q_ij + epsilon))`` with p the softmax of the cosines over temperature and q
    uniform over the pairs of one identity, plus the mirrored term.

    Args:
        image_features: (B, D).
        text_features: (B, D).
        labels: Identities, (B,), of the images and of the texts.
        temperature: 0.02 is the published value.
        epsilon: Added to q. The published 1e-8 matters: it sets the price of mass on wrong pairs.

    Returns:
        A scalar.
    """
    settings = (temperature, epsilon)
    return sdm_rows(image_features, text_features, labels, labels, *settings) + sdm_rows(
        text_features, image_features, labels, labels, *settings
    )
