"""Pooling of a feature map by horizontal stripes."""

from mmengine.model import BaseModule
from torch import Tensor
from torch.nn import functional as F

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.registry import MODELS

__all__ = ['PartPooling']


@MODELS.register_module()
class PartPooling(BaseModule):
    """Average a map over horizontal stripes and concatenate the means, from head to feet.

    A pedestrian stands upright, so that a stripe is a part of the body and the feature keeps where a colour was seen
    (Sun et al., "Beyond Part Models", ECCV 2018, without its classifiers of parts).

    Args:
        parts: Number of stripes. Defaults to 6, as in the paper.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If ``parts`` is below 1.
    """

    @checked(parts=positive)
    def __init__(self, parts: int = 6, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.parts = parts

    def forward(self, features: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Turn a map (N, C, H, W), or the last of several, into (N, C * parts)."""
        last = features if isinstance(features, Tensor) else features[-1]
        return F.adaptive_avg_pool2d(last, (self.parts, 1)).flatten(1)
