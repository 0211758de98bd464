"""Global alignment."""

from typing import Any

from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import above_zero, finite
from mmtbps.registry import MODELS

from ..losses import alignment_rows
from .pairwise_head import PairwiseHead

__all__ = ['AlignmentHead']


@MODELS.register_module()
class AlignmentHead(PairwiseHead):
    """Pull pairs of one identity together, push others apart: :func:`~mmtbps.models.losses.global_alignment_loss`.

    Args:
        positive_scale: Slope for pairs of one identity; this and the next three are the published values.
        positive_margin: Cosine similarity that such pairs should exceed.
        negative_scale: Slope for the other pairs.
        negative_margin: Cosine similarity that they should stay below.
        **kwargs: See :class:`PairwiseHead`.
    """

    @checked(positive_scale=above_zero, positive_margin=finite, negative_scale=above_zero, negative_margin=finite)
    def __init__(
        self,
        positive_scale: float = 10.0,
        positive_margin: float = 0.6,
        negative_scale: float = 40.0,
        negative_margin: float = 0.4,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings = (positive_scale, positive_margin, negative_scale, negative_margin)

    def compare(self, queries: Tensor, candidates: Tensor, *ids: Tensor, reduction: str = 'mean') -> Tensor:
        """Compute one direction."""
        return alignment_rows(queries, candidates, *ids, *self.settings, reduction=reduction)
