"""Contrast with targets that the model softens itself."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import above_zero, in_unit
from mmtbps.registry import MODELS

from ..losses import nitc_rows
from .pairwise_head import PairwiseHead
from .temperature import make_temperature

__all__ = ['NITCHead']


@MODELS.register_module()
class NITCHead(PairwiseHead):
    """N-ITC of TBPS-CLIP (Cao et al., AAAI 2024): :func:`~mmtbps.models.losses.nitc_loss`.

    The teacher is the model itself: a second pass of the same weights over the same input without gradient, which
    differs by its dropout. Where a stream draws nothing at random, its first answer is taken, which is the same.

    Both directions are added like the other losses here; the published loss is their mean: ``loss_weight=0.5``.

    Args:
        views: Names of further views of the images; the loss is the mean over the images and these views, each
            compared with the same captions (multi-view supervision). Defaults to none.
        soft_share: Share of the teacher in the targets. 0.5 is the published value, which it reaches within the first
            epoch: ``dict(type='LossRampHook', head=..., setting='soft_share', end=1)``.
        temperature: Temperature at the start, or the name of one of the retriever's ``temperatures``, which several
            heads then share.
        learnable_temperature: Whether it is trained, as published; of a shared one its own config says so.
        max_scale: Cap on the inverse of a learnt temperature; CLIP's 100.
        **kwargs: See :class:`PairwiseHead`.
    """

    @checked(soft_share=in_unit, temperature=above_zero, max_scale=above_zero)
    def __init__(
        self,
        views: Sequence[str] = (),
        soft_share: float = 0.5,
        temperature: float | str = 0.01,
        learnable_temperature: bool = True,
        max_scale: float = 100.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.views = tuple(views)
        self.needs = ('teacher', *(f'views.{name}.teacher' for name in views))
        self.soft_share = soft_share
        self.temperature = make_temperature(temperature, learnable_temperature, max_scale)

    def compare_all(self, own: Any, everything: Any, reduction: str) -> Tensor:
        """Compute both directions, the mean over the views of the images."""
        settings = dict(temperature=self.temperature(), soft_share=self.soft_share, reduction=reduction)
        ids = self.ids_of(own, everything)
        losses = [
            nitc_rows(mine, everything.text, *ids, my_teacher, everything.teacher.text, **settings)
            + nitc_rows(own.text, others, *ids, own.teacher.text, teacher, **settings)
            for (mine, my_teacher), (others, teacher) in zip(self._images(own), self._images(everything), strict=True)
        ]
        return sum(losses[1:], losses[0]) / len(losses)

    def _images(self, pairs: Any) -> list[tuple[Tensor, Tensor]]:
        """The images and their further views, each with what the teacher makes of it."""
        views = [getattr(pairs.views, name) for name in self.views]
        return [(pairs.image, pairs.teacher.image), *((view.image, view.teacher) for view in views)]
