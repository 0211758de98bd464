"""The losses of TBPS-CLIP: image-text contrast with soft, reversed and geometric targets."""

from torch import Tensor
from torch.nn import functional as F

from mmtbps.core.precision import at_least_float32

from .reduction import reduce_rows
from .sdm import sdm_loss

__all__ = ['citc_loss', 'citc_rows', 'nitc_loss', 'nitc_rows', 'ritc_loss']


@at_least_float32
def nitc_rows(
    queries: Tensor,
    candidates: Tensor,
    query_ids: Tensor,
    candidate_ids: Tensor,
    teacher_queries: Tensor,
    teacher_candidates: Tensor,
    temperature: float | Tensor = 0.01,
    soft_share: float = 0.5,
    reduction: str = 'mean',
) -> Tensor:
    """One direction of :func:`nitc_loss`: some queries against all candidates.

    Args:
        queries: Features, (N, D); normalised here.
        candidates: Features of the other modality, (M, D); normalised here.
        query_ids: Identities, (N,).
        candidate_ids: Identities, (M,).
        teacher_queries: What the teacher makes of the queries, (N, D); no gradient flows into it.
        teacher_candidates: What it makes of the candidates, (M, D).
        temperature: Divides the cosine similarities. A scalar tensor receives a gradient from the student alone.
        soft_share: Share of the teacher in the target, in [0, 1].
        reduction: ``'mean'`` over the queries, or ``'none'`` for the loss of each, (N,).

    Returns:
        Cross-entropy, the mean over the queries (a scalar) or one value for each (N,).
    """
    logits = F.normalize(queries, dim=1) @ F.normalize(candidates, dim=1).t() / temperature
    same = (query_ids[:, None] == candidate_ids[None, :]).to(logits.dtype)
    target = (1 - soft_share) * same / same.sum(dim=1, keepdim=True).clamp_min(1)
    if soft_share > 0:
        teacher = F.normalize(teacher_queries, dim=1) @ F.normalize(teacher_candidates, dim=1).t() / temperature
        target = target + soft_share * teacher.detach().softmax(dim=1)
    return reduce_rows(F.cross_entropy(logits, target, reduction='none'), reduction)


def nitc_loss(
    image_features: Tensor,
    text_features: Tensor,
    labels: Tensor,
    teacher_image: Tensor,
    teacher_text: Tensor,
    temperature: float | Tensor = 0.01,
    soft_share: float = 0.5,
) -> Tensor:
    """Contrast with identity targets that a teacher softens (N-ITC; Cao et al., TBPS-CLIP, AAAI 2024).

    Cross-entropy between ``a softmax(teacher) + (1 - a) q`` and the softmax of the cosines over temperature, q uniform
    over the pairs of one identity; the mean of both directions.

    Args:
        image_features: (B, D).
        text_features: (B, D).
        labels: Identities, (B,), of the images and of the texts.
        teacher_image: What the teacher makes of the images, (B, D).
        teacher_text: What it makes of the texts, (B, D).
        temperature: 0.01 is where CLIP's weights end and the published training starts.
        soft_share: a; 0.5 is the published value.

    Returns:
        A scalar.
    """
    ids, settings = (labels, labels), (temperature, soft_share)
    forward = nitc_rows(image_features, text_features, *ids, teacher_image, teacher_text, *settings)
    return (forward + nitc_rows(text_features, image_features, *ids, teacher_text, teacher_image, *settings)) / 2


def ritc_loss(
    image_features: Tensor,
    text_features: Tensor,
    labels: Tensor,
    temperature: float | Tensor = 0.01,
    epsilon: float = 0.01,
) -> Tensor:
    """Reversed contrast (R-ITC; Cao et al., TBPS-CLIP, AAAI 2024): the mean of both directions of KL(p || q + epsilon).

    This is half of :func:`sdm_loss` with another epsilon, which is not small: q + epsilon does not sum to 1.

    Args:
        image_features: (B, D).
        text_features: (B, D).
        labels: Identities, (B,), of the images and of the texts.
        temperature: 0.01 is where CLIP's weights end and the published training starts.
        epsilon: 0.01 is the published value.

    Returns:
        A scalar.
    """
    return sdm_loss(image_features, text_features, labels, temperature, epsilon) / 2


@at_least_float32
def citc_rows(image: Tensor, text: Tensor, all_images: Tensor, all_texts: Tensor, reduction: str = 'mean') -> Tensor:
    """:func:`citc_loss` of some pairs against all.

    Args:
        image: Features of N pairs, (N, D); normalised here, as are all others.
        text: (N, D).
        all_images: Features of all pairs, (M, D).
        all_texts: (M, D).
        reduction: ``'mean'`` over the pairs, or ``'none'`` for the loss of each, (N,).

    Returns:
        The mean over the pairs (a scalar) or one value for each (N,).
    """
    image, text, all_images, all_texts = (F.normalize(x, dim=1) for x in (image, text, all_images, all_texts))
    within = (image @ all_images.t() - text @ all_texts.t()).square().mean(dim=1)
    across = (image @ all_texts.t() - text @ all_images.t()).square().mean(dim=1)
    return reduce_rows((within + across) / 4, reduction)


def citc_loss(image_features: Tensor, text_features: Tensor) -> Tensor:
    """Keep the geometry of both modalities alike (C-ITC; after CyCLIP, Goel et al., NeurIPS 2022; TBPS-CLIP).

    ``mean_ij (v_i.v_j - t_i.t_j)^2 / 4 + mean_ij (v_i.t_j - t_i.v_j)^2 / 4`` over all B^2 entries, with cosines.

    Args:
        image_features: (B, D).
        text_features: (B, D).

    Returns:
        A scalar.
    """
    return citc_rows(image_features, text_features, image_features, text_features)
