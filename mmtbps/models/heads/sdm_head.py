"""Similarity distribution matching."""

from typing import Any

from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import above_zero
from mmtbps.registry import MODELS

from ..losses import sdm_rows
from .pairwise_head import PairwiseHead
from .temperature import make_temperature

__all__ = ['SDMHead']


@MODELS.register_module()
class SDMHead(PairwiseHead):
    """Match the distribution of similarities with that of identities: :func:`~mmtbps.models.losses.sdm_loss`.

    Args:
        temperature: Temperature (at the start, if it is learnt), or the name of one of the retriever's
            ``temperatures``, which several heads then share. 0.02 is the value of IRRA (Jiang & Ye, CVPR 2023).
        learnable_temperature: Whether it is trained; of a shared one its own config says so.
        max_scale: Cap on the inverse of a learnt temperature; CLIP's 100.
        epsilon: Added to the target distribution; 1e-8 is the published value.
        **kwargs: See :class:`PairwiseHead`.
    """

    @checked(temperature=above_zero, max_scale=above_zero, epsilon=above_zero)
    def __init__(
        self,
        temperature: float | str = 0.02,
        learnable_temperature: bool = False,
        max_scale: float = 100.0,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.temperature = make_temperature(temperature, learnable_temperature, max_scale)
        self.epsilon = epsilon

    def compare(self, queries: Tensor, candidates: Tensor, *ids: Tensor, reduction: str = 'mean') -> Tensor:
        """Compute one direction."""
        return sdm_rows(queries, candidates, *ids, self.temperature(), self.epsilon, reduction=reduction)
