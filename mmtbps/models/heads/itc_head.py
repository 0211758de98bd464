"""In-batch image-text contrast."""

from typing import Any

from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import above_zero
from mmtbps.registry import MODELS

from ..losses import identity_aware_info_nce
from .gathering import places_of
from .pairwise_head import PairwiseHead
from .temperature import make_temperature

__all__ = ['ITCHead']


@MODELS.register_module()
class ITCHead(PairwiseHead):
    """Contrast all pairs of the batch, with a learnt temperature.

    Both directions of :func:`~mmtbps.models.losses.identity_aware_info_nce`, added like the other losses here (CLIP
    takes their mean: ``loss_weight=0.5``).

    Args:
        positives: ``'identity'``: every pair of one identity is a positive. ``'pair'``: a caption's own image alone is,
            and other captions of the person are negatives, as in CLIP and in the InfoNCE baseline of IRRA (Jiang & Ye,
            CVPR 2023).
        temperature: Temperature at the start, or the name of one of the retriever's ``temperatures``, which several
            heads then share.
        learnable_temperature: Whether it is trained, as in CLIP; of a shared one its own config says so.
        max_scale: Cap on the inverse of a learnt temperature; CLIP's 100.
        **kwargs: See :class:`PairwiseHead`.

    Raises:
        ValueError: If ``positives`` is neither.
    """

    @checked(temperature=above_zero, max_scale=above_zero)
    def __init__(
        self,
        positives: str = 'identity',
        temperature: float | str = 0.07,
        learnable_temperature: bool = True,
        max_scale: float = 100.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if positives not in ('identity', 'pair'):
            raise ValueError(f"ITCHead: positives must be 'identity' or 'pair', got {positives!r}")
        self.positives = positives
        self.temperature = make_temperature(temperature, learnable_temperature, max_scale)

    def ids_of(self, own: Any, everything: Any) -> tuple[Tensor, Tensor]:
        """Give identities, or places, which are different for every pair."""
        if self.positives == 'pair':
            return places_of(own, everything), places_of(everything, everything)
        return super().ids_of(own, everything)

    def compare(self, queries: Tensor, candidates: Tensor, *ids: Tensor, reduction: str = 'mean') -> Tensor:
        """Compute one direction."""
        return identity_aware_info_nce(queries, candidates, *ids, self.temperature(), reduction=reduction)
