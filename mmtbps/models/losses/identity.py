"""Identity classification on one matrix that both modalities share."""

import torch
from torch import Tensor
from torch.nn import functional as F

from mmtbps.core.precision import at_least_float32

from .reduction import mean_of

__all__ = ['cmpc_loss', 'identity_loss']

# No label is to be skipped in silence: F.cross_entropy would ignore -100, a value that no label check of its own finds.
_IGNORE_NOTHING = torch.iinfo(torch.int64).min


@at_least_float32
def identity_loss(
    image_features: Tensor,
    text_features: Tensor,
    labels: Tensor,
    projection: Tensor,
    label_smoothing: float = 0.1,
) -> Tensor:
    """Classify the identity of images and of sentences, the "instance loss" of the paper's public code.

    ``CE(v P') + CE(t P')`` with P' = P with columns of unit length, shared by both modalities (after Zheng et al.,
    TOMM 2020; used in Han et al., BMVC 2021). The features are not normalised.

    Args:
        image_features: (N, D).
        text_features: (N, D).
        labels: Classes, (N,), each in 0 .. C-1.
        projection: P, (D, C).
        label_smoothing: Mass spread over all C classes (Szegedy et al., CVPR 2016). 0.1 is the published value.

    Returns:
        Image term plus text term, each a mean over the batch; a scalar.
    """
    # Both modalities at once: the large matrix is normalised and multiplied once.
    logits = torch.cat([image_features, text_features]) @ F.normalize(projection, dim=0)
    return 2 * F.cross_entropy(
        logits, labels.repeat(2), label_smoothing=label_smoothing, ignore_index=_IGNORE_NOTHING,
        reduction=mean_of(labels),
    )  # fmt: skip


@at_least_float32
def cmpc_loss(image_features: Tensor, text_features: Tensor, labels: Tensor, projection: Tensor) -> Tensor:
    """Cross-modal projection classification (CMPC; Zhang & Lu, ECCV 2018, Eq. 9-11).

    Each feature is projected onto the direction of its partner, ``v-_i = (v_i . t^_i) t^_i``, and the projection is
    classified with a matrix whose columns have unit length; plus the mirrored text term.

    Args:
        image_features: (N, D); row i is the partner of row i of the text features.
        text_features: (N, D).
        labels: Classes, (N,), each in 0 .. C-1.
        projection: (D, C).

    Returns:
        Image term plus text term, each a mean over the batch; a scalar.
    """

    def onto(features: Tensor, partners: Tensor) -> Tensor:
        direction = F.normalize(partners, dim=1)
        return (features * direction).sum(dim=1, keepdim=True) * direction

    return identity_loss(
        onto(image_features, text_features),
        onto(text_features, image_features),
        labels,
        projection,
        label_smoothing=0.0,
    )
