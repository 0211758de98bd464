"""Linear projection into the joint space."""

from mmengine.model import BaseModule, kaiming_init
from torch import Tensor, nn

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.registry import MODELS

__all__ = ['LinearProjection']


@MODELS.register_module()
class LinearProjection(BaseModule):
    """One linear layer, which starts Kaiming-normal (He et al., ICCV 2015) over its outputs, with bias 0.

    The deviation is ``sqrt(2 / out_channels)`` at any length of the features, as in the public code of CM-MoCo and of
    its baseline (Han et al., BMVC 2021): 0.088 for 256, some times more than torch's default.

    Args:
        in_channels: Length of the features.
        out_channels: Length of the embeddings; 256 is the published value.
        init_cfg: MMEngine's initialisation config.
    """

    @checked(in_channels=positive, out_channels=positive)
    def __init__(self, in_channels: int, out_channels: int = 256, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.linear = nn.Linear(in_channels, out_channels)
        kaiming_init(self.linear, mode='fan_out', distribution='normal', bias=0)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (..., in_channels) to embeddings (..., out_channels).

        Raises:
            ValueError: If the features have another length.
        """
        if features.shape[-1] != self.linear.in_features:
            raise ValueError(
                f'LinearProjection: in_channels is {self.linear.in_features}, and the features of the stream have '
                f'{features.shape[-1]} numbers (PartPooling gives its parts times the channels of the backbone). Set '
                f'in_channels={features.shape[-1]}.'
            )
        return self.linear(features)
