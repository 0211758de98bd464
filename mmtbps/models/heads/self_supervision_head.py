"""Contrast of two views of the images."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from mmtbps.core.arguments import checked
from mmtbps.core.checks import above_zero, positive
from mmtbps.registry import MODELS

from ..losses import simclr_rows
from .gathering import places_of
from .pairwise_head import PairwiseHead

__all__ = ['SelfSupervisionHead']


@MODELS.register_module()
class SelfSupervisionHead(PairwiseHead):
    """SimCLR on two views of the images, as in TBPS-CLIP (Cao et al., AAAI 2024).

    The views' embeddings go through an MLP; :func:`~mmtbps.models.losses.simclr_loss`.

    Args:
        in_channels: Length of the embeddings; 512 is that of CLIP's ViT-B/16.
        hidden_channels: Length between the layers of the MLP; 128 is the published value.
        views: Names of the two views, which :class:`~mmtbps.datasets.AddImageView` adds.
        temperature: 0.1 is the published value.
        **kwargs: See :class:`PairwiseHead`; the published ``loss_weight`` is 0.4.

    Raises:
        ValueError: If there are not two views.
    """

    @checked(in_channels=positive, hidden_channels=positive, temperature=above_zero)
    def __init__(
        self,
        in_channels: int = 512,
        hidden_channels: int = 128,
        views: Sequence[str] = ('strong_1', 'strong_2'),
        temperature: float = 0.1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if len(views) != 2:
            raise ValueError(f'SelfSupervisionHead: views must be two names, got {views}')
        self.views = tuple(views)
        self.needs = tuple(f'views.{name}' for name in views)
        self.temperature = temperature
        self.mlp = nn.Sequential(
            nn.Linear(in_channels, hidden_channels), nn.ReLU(), nn.Linear(hidden_channels, in_channels)
        )

    def compare_all(self, own: Any, everything: Any, reduction: str) -> Tensor:
        """Compute the mean over both views."""
        own_views, all_views = ([self.mlp(getattr(pairs.views, name).image) for name in self.views]
                                for pairs in (own, everything))  # fmt: skip
        settings: dict[str, Any] = dict(temperature=self.temperature, reduction=reduction)
        places = places_of(own, everything)
        first = simclr_rows(own_views[0], all_views[0], all_views[1], places, **settings)
        return (first + simclr_rows(own_views[1], all_views[1], all_views[0], places, **settings)) / 2
