"""Two-layer projection of the contrastive branch."""

from mmengine.model import BaseModule, kaiming_init
from torch import Tensor, nn

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.registry import MODELS

__all__ = ['MLPProjection']


@MODELS.register_module()
class MLPProjection(BaseModule):
    """Linear, ReLU, linear: the separate contrastive projection of CM-MoCo (after SimCLR, Chen et al., ICML 2020).

    Both layers start as :class:`LinearProjection` does.

    Args:
        in_channels: Length of the features.
        out_channels: Length of the hidden layer and of the embeddings; 256 is the published value.
        init_cfg: MMEngine's initialisation config.
    """

    @checked(in_channels=positive, out_channels=positive)
    def __init__(self, in_channels: int, out_channels: int = 256, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.layers = nn.Sequential(
            nn.Linear(in_channels, out_channels), nn.ReLU(inplace=True), nn.Linear(out_channels, out_channels)
        )
        for layer in (self.layers[0], self.layers[2]):
            kaiming_init(layer, mode='fan_out', distribution='normal', bias=0)

    def forward(self, features: Tensor) -> Tensor:
        """Project (N, in_channels) to (N, out_channels)."""
        return self.layers(features)
