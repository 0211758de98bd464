"""Linear projection into the joint space."""

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.registry import MODELS

__all__ = ['LinearProjection']


@MODELS.register_module()
class LinearProjection(BaseModule):
    """One linear layer.

    Args:
        in_channels: Length of the features.
        out_channels: Length of the embeddings; 256 is the published value.
        init_cfg: MMEngine's initialisation config.
    """

    @checked(in_channels=positive, out_channels=positive)
    def __init__(self, in_channels: int, out_channels: int = 256, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.linear = nn.Linear(in_channels, out_channels)

    def forward(self, features: Tensor) -> Tensor:
        """Project (N, in_channels) to (N, out_channels)."""
        return self.linear(features)
