"""Likeness of the geometry of both modalities."""

from typing import Any

from torch import Tensor

from mmtbps.registry import MODELS

from ..losses import citc_rows
from .pairwise_head import PairwiseHead

__all__ = ['CITCHead']


@MODELS.register_module()
class CITCHead(PairwiseHead):
    """C-ITC of TBPS-CLIP (Cao et al., AAAI 2024; after CyCLIP): :func:`~mmtbps.models.losses.citc_loss`.

    Args:
        **kwargs: See :class:`PairwiseHead`; the published ``loss_weight`` is 0.1.
    """

    def compare_all(self, own: Any, everything: Any, reduction: str) -> Tensor:
        """Compare the own pairs with all, within and across the modalities."""
        return citc_rows(own.image, own.text, everything.image, everything.text, reduction=reduction)
