"""Cross-modal projection matching."""

from torch import Tensor
from torch.nn import functional as F

from mmtbps.core.precision import at_least_float32

from .reduction import reduce_rows

__all__ = ['cmpm_loss', 'cmpm_rows']


@at_least_float32
def cmpm_rows(
    queries: Tensor,
    candidates: Tensor,
    query_ids: Tensor,
    candidate_ids: Tensor,
    epsilon: float = 1e-8,
    reduction: str = 'mean',
) -> Tensor:
    """One direction of :func:`cmpm_loss`: some queries against all candidates.

    Args:
        queries: Features, (N, D), taken as they are.
        candidates: Features of the other modality, (M, D); normalised here.
        query_ids: Identities, (N,).
        candidate_ids: Identities, (M,).
        epsilon: Keeps the logarithm of the target finite.
        reduction: ``'mean'`` over the queries, or ``'none'`` for the loss of each, (N,).

    Returns:
        KL divergence, the mean over the queries (a scalar) or one value for each (N,).
    """
    log_p = F.log_softmax(queries @ F.normalize(candidates, dim=1).t(), dim=1)
    same = (query_ids[:, None] == candidate_ids[None, :]).to(log_p.dtype)
    target = F.normalize(same, dim=1)
    return reduce_rows((log_p.exp() * (log_p - (target + epsilon).log())).sum(dim=1), reduction)


def cmpm_loss(image_features: Tensor, text_features: Tensor, labels: Tensor, epsilon: float = 1e-8) -> Tensor:
    """Match the distribution of projections with that of identities (CMPM; Zhang & Lu, ECCV 2018, Eq. 4-7).

    ``mean_i sum_j p_ij (log p_ij - log(q_ij + epsilon))`` with p = softmax_j(v_i . t^_j), plus the mirrored text term.
    As in the paper's public code, q is the label mask divided by the row's L2 norm, not by its sum.

    Args:
        image_features: (B, D).
        text_features: (B, D).
        labels: Identities, (B,), of the images and of the texts.
        epsilon: Added to q. The published 1e-8 matters: it sets the price of mass on wrong pairs.

    Returns:
        A scalar.
    """
    return cmpm_rows(image_features, text_features, labels, labels, epsilon) + cmpm_rows(
        text_features, image_features, labels, labels, epsilon
    )
