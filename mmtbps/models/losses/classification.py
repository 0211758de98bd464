"""Cross-entropy of a linear classifier of identities, and of masked words."""

import torch
from torch import Tensor
from torch.nn import functional as F

from mmtbps.core.precision import at_least_float32

from .reduction import mean_of

__all__ = ['linear_identity_loss', 'masked_word_loss']


@at_least_float32
def linear_identity_loss(
    image_features: Tensor, text_features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor
) -> Tensor:
    """Classify the identity of images and of sentences with one linear layer (IRRA; Jiang & Ye, CVPR 2023, Sec. 3.4).

    ``(CE(v W' + b) + CE(t W' + b)) / 2``; neither features nor weights are normalised, and no label is smoothed.

    Args:
        image_features: (N, D).
        text_features: (N, D).
        labels: Classes, (N,), each in 0 .. C-1.
        weight: W, (C, D).
        bias: b, (C,).

    Returns:
        A scalar, 0 without a pair.
    """
    logits = F.linear(torch.cat([image_features, text_features]), weight, bias)
    # No label is to be skipped in silence.
    ignored = torch.iinfo(torch.int64).min
    return F.cross_entropy(logits, labels.repeat(2), ignore_index=ignored, reduction=mean_of(labels))


@at_least_float32
def masked_word_loss(logits: Tensor, labels: Tensor, count: float | Tensor | None = None) -> Tensor:
    """Predict masked words (MLM; Devlin et al., NAACL 2019): the mean cross-entropy over them.

    Args:
        logits: Scores of R masked words, (R, vocabulary).
        labels: Their ids, (R,).
        count: What the sum is divided by, such as the mean number of masked words of all processes. Defaults to None:
            R.

    Returns:
        A scalar; 0 without a masked word.
    """
    total = F.cross_entropy(logits, labels, reduction='sum')
    count = torch.as_tensor(len(labels) if count is None else count, device=total.device)
    return total / torch.where(count > 0, count, 1)  # a mean over processes may be below 1
