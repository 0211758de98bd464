"""Global alignment loss."""

from torch import Tensor
from torch.nn import functional as F

from mmtbps.core.precision import at_least_float32

from .reduction import reduce_rows

__all__ = ['alignment_rows', 'global_alignment_loss']


@at_least_float32
def alignment_rows(
    queries: Tensor,
    candidates: Tensor,
    query_ids: Tensor,
    candidate_ids: Tensor,
    positive_scale: float = 10.0,
    positive_margin: float = 0.6,
    negative_scale: float = 40.0,
    negative_margin: float = 0.4,
    reduction: str = 'mean',
) -> Tensor:
    """One direction of :func:`global_alignment_loss`: some queries against all candidates.

    Args:
        queries: Features, (N, D); normalised here.
        candidates: Features of the other modality, (M, D); normalised here.
        query_ids: Identities, (N,).
        candidate_ids: Identities, (M,).
        positive_scale: Slope for pairs of one identity.
        positive_margin: Similarity from which on such a pair counts little.
        negative_scale: Slope for the other pairs.
        negative_margin: Similarity up to which such a pair counts little.
        reduction: ``'mean'`` over the queries, or ``'none'`` for the loss of each, (N,).

    Returns:
        Sum over the candidates, mean over the queries (a scalar) or one value for each (N,).
    """
    similarity = F.normalize(queries, dim=1) @ F.normalize(candidates, dim=1).t()
    same = query_ids[:, None] == candidate_ids[None, :]
    # -logsigmoid(-x) is softplus: log(1 + exp(x)) without overflow. F.softplus itself cuts off to x above 20.
    attract = F.logsigmoid(positive_scale * (similarity - positive_margin))
    repel = F.logsigmoid(-negative_scale * (similarity - negative_margin))
    return reduce_rows(-attract.where(same, repel).sum(dim=1), reduction)


def global_alignment_loss(
    image_features: Tensor,
    text_features: Tensor,
    labels: Tensor,
    positive_scale: float = 10.0,
    positive_margin: float = 0.6,
    negative_scale: float = 40.0,
    negative_margin: float = 0.4,
) -> Tensor:
    """Pull image-text pairs of one identity above a margin and push the others below one.

    ``2/B (sum_pos log(1 + exp(-a (s - alpha))) + sum_neg log(1 + exp(b (s - beta))))`` over the cosine similarities s
    of all image-text pairs of the batch (ViTAA, Wang et al., ECCV 2020, Eq. 4; used in Han et al., BMVC 2021).

    Args:
        image_features: (B, D).
        text_features: (B, D).
        labels: Identities, (B,), of the images and of the texts.
        positive_scale: a. The four defaults are the published ones.
        positive_margin: alpha.
        negative_scale: b.
        negative_margin: beta.

    Returns:
        A scalar.
    """
    settings = (positive_scale, positive_margin, negative_scale, negative_margin)
    return 2 * alignment_rows(image_features, text_features, labels, labels, *settings)
