"""Cross-modal projection matching."""

from typing import Any

from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import above_zero
from mmtbps.registry import MODELS

from ..losses import cmpm_rows
from .pairwise_head import PairwiseHead

__all__ = ['CMPMHead']


@MODELS.register_module()
class CMPMHead(PairwiseHead):
    """Match the distribution of projections with that of identities: :func:`~mmtbps.models.losses.cmpm_loss`.

    Args:
        epsilon: Added to the target distribution; 1e-8 is the published value.
        **kwargs: See :class:`PairwiseHead`.
    """

    @checked(epsilon=above_zero)
    def __init__(self, epsilon: float = 1e-8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def compare(self, queries: Tensor, candidates: Tensor, *ids: Tensor, reduction: str = 'mean') -> Tensor:
        """Compute one direction."""
        return cmpm_rows(queries, candidates, *ids, self.epsilon, reduction=reduction)
