"""Contrast of two views of the same images."""

import torch
from torch import Tensor
from torch.nn import functional as F

from mmtbps.core.precision import at_least_float32

from .reduction import reduce_rows

__all__ = ['simclr_loss', 'simclr_rows']


@at_least_float32
def simclr_rows(
    anchors: Tensor,
    own_view: Tensor,
    other_view: Tensor,
    places: Tensor,
    temperature: float = 0.1,
    reduction: str = 'mean',
) -> Tensor:
    """One direction of :func:`simclr_loss`: some anchors against all images in both views.

    Args:
        anchors: Projected features of N images in one view, (N, D); normalised here, as are all others.
        own_view: Those of all M images in the same view, (M, D).
        other_view: Those of all M images in the other view, (M, D).
        places: Where the anchors stand among all images, (N,).
        temperature: Divides the cosine similarities.
        reduction: ``'mean'`` over the anchors, or ``'none'`` for the loss of each, (N,).

    Returns:
        The mean over the anchors (a scalar) or one value for each (N,).
    """
    anchors, own_view, other_view = (F.normalize(x, dim=1) for x in (anchors, own_view, other_view))
    itself = places[:, None] == torch.arange(len(own_view), device=places.device)
    within = (anchors @ own_view.t() / temperature).masked_fill(itself, float('-inf'))
    logits = torch.cat([anchors @ other_view.t() / temperature, within], dim=1)
    return reduce_rows(F.cross_entropy(logits, places, reduction='none'), reduction)


def simclr_loss(first: Tensor, second: Tensor, temperature: float = 0.1) -> Tensor:
    """Tell which two views are of the same image (SimCLR; Chen et al., ICML 2020, Eq. 1), the mean over all views.

    Args:
        first: Projected features of the images in one view, (B, D).
        second: In the other view, (B, D).
        temperature: 0.1 is SimCLR's value and that of TBPS-CLIP.

    Returns:
        A scalar.
    """
    places = torch.arange(len(first), device=first.device)
    settings = (places, temperature)
    return (simclr_rows(first, first, second, *settings) + simclr_rows(second, second, first, *settings)) / 2
