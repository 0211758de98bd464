"""InfoNCE with given negatives (MoCo) and with all pairs of a batch, aware of identities."""

import torch
from torch import Tensor
from torch.nn import functional as F

from mmtbps.core.precision import at_least_float32

from .reduction import mean_of, reduce_rows

__all__ = ['identity_aware_info_nce', 'info_nce']


@at_least_float32
def info_nce(
    positive: Tensor,
    negatives: Tensor,
    temperature: float | Tensor = 0.07,
    excluded: Tensor | None = None,
) -> Tensor:
    """Contrast each anchor's positive with its negatives.

    ``mean_i CE([positive_i, negatives_i] / temperature, target 0)`` (van den Oord et al. 2018; He et al., MoCo,
    CVPR 2020, Eq. 1). CM-MoCo (Han et al., BMVC 2021) adds this for the image anchors and for the text anchors.

    Args:
        positive: Similarity of each anchor to its positive key, (N,) or (N, 1), not divided by the temperature.
        negatives: Similarities to the negative keys, (N, K), not divided by the temperature. K may be 0.
        temperature: Divides every similarity. 0.07 is the value of MoCo and of the paper. A scalar tensor receives
            a gradient.
        excluded: Entries of ``negatives`` that are no negatives, bool, broadcastable to (N, K). They are masked,
            not removed, so that shapes do not depend on data. A row without any negative gives the term 0.

    Returns:
        The mean over the anchors, a scalar.

    Raises:
        ValueError: If the numbers of anchors differ.

    Example:
        >>> import torch
        >>> info_nce(torch.tensor([0.07]), torch.tensor([[0.07, 0.0]]), excluded=torch.tensor([[False, True]]))
        tensor(0.6931)
    """
    positive = positive.reshape(-1, 1)
    if len(positive) != len(negatives):
        raise ValueError(
            f'positive has {len(positive)} anchors and negatives {len(negatives)}; give one row of negatives for each'
        )
    positive, negatives = positive / temperature, negatives / temperature
    # Only now: an infinity divided by a learnt temperature would give it an undefined gradient.
    if excluded is not None:
        negatives = negatives.masked_fill(excluded, float('-inf'))
    logits = torch.cat([positive, negatives], dim=1)
    return F.cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.long), reduction=mean_of(logits))


@at_least_float32
def identity_aware_info_nce(
    queries: Tensor,
    candidates: Tensor,
    query_ids: Tensor,
    candidate_ids: Tensor,
    temperature: float | Tensor = 0.07,
    reduction: str = 'mean',
) -> Tensor:
    """Contrast queries with all candidates of a batch, where every pair of one identity is a positive.

    Cross-entropy against a target that is uniform over the positives of a row: InfoNCE of CLIP (Radford et al.
    2021) with the soft targets that several captions of one person ask for. One direction only.

    Args:
        queries: Features, (N, D); normalised here.
        candidates: Features of the other modality, (M, D); normalised here.
        query_ids: Identities, (N,).
        candidate_ids: Identities, (M,). A query whose identity does not occur gives the term 0.
        temperature: Divides the cosine similarities. A scalar tensor receives a gradient.
        reduction: ``'mean'`` over the queries, or ``'none'`` for the loss of each, (N,).

    Returns:
        The mean over the queries (a scalar) or one value for each (N,).
    """
    logits = F.normalize(queries, dim=1) @ F.normalize(candidates, dim=1).t() / temperature
    positives = (query_ids[:, None] == candidate_ids[None, :]).to(logits.dtype)
    target = positives / positives.sum(dim=1, keepdim=True).clamp_min(1)
    return reduce_rows(F.cross_entropy(logits, target, reduction='none'), reduction)
