"""In-batch image-text contrast."""

from typing import Any

from torch import Tensor

from mmtbps.registry import MODELS

from ..losses import identity_aware_info_nce
from .pairwise_head import PairwiseHead
from .temperature import Temperature

__all__ = ['ITCHead']


@MODELS.register_module()
class ITCHead(PairwiseHead):
    """Contrast all pairs of the batch, every pair of one identity a positive, with a learnt temperature.

    Both directions of :func:`~mmtbps.models.losses.identity_aware_info_nce`, added like the other losses here (CLIP
    takes their mean: ``loss_weight=0.5``).

    Args:
        temperature: Temperature at the start.
        learnable_temperature: Whether it is trained, as in CLIP.
        temperature_bounds: Range of a learnt temperature.
        **kwargs: See :class:`PairwiseHead`.
    """

    def __init__(
        self,
        temperature: float = 0.07,
        learnable_temperature: bool = True,
        temperature_bounds: tuple[float, float] = (0.01, 0.5),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.temperature = Temperature(temperature, learnable_temperature, temperature_bounds)

    def compare(self, queries: Tensor, candidates: Tensor, query_ids: Tensor, candidate_ids: Tensor) -> Tensor:
        """Compute one direction."""
        return identity_aware_info_nce(queries, candidates, query_ids, candidate_ids, self.temperature())
