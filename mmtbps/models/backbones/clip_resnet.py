"""CLIP's modified ResNet for pedestrian images."""

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule
from open_clip.modified_resnet import ModifiedResNet
from torch import nn

from mmtbps.registry import MODELS

from ..utils import resize_positional_embedding
from .attention_pool import MeanTokenAttentionPool

__all__ = ['CLIPResNet']


class _MeanPool(nn.Sequential):
    """Global average pooling to (N, C)."""

    def __init__(self) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), nn.Flatten())


@MODELS.register_module()
class CLIPResNet(ModifiedResNet, BaseModule):
    """CLIP's modified ResNet (Radford et al. 2021) for images of any size, with open_clip's names of all weights.

    The positional embedding is resized when weights of a square grid are loaded (row of the mean token copied, grid
    bilinear, ``align_corners=False``).

    Args:
        layers: Blocks per stage; (3, 4, 6, 3) is RN50, (3, 4, 23, 3) RN101.
        width: Channels of the first stage; the last has 32 times as many.
        heads: Heads of the attention pool; None takes one per 64 channels, as CLIP does.
        output_dim: Length of the feature with the attention pool, 1024 for RN50 and 512 for RN101. None keeps 32 x
            ``width``, which is the length with mean pooling.
        input_size: Height and width of the images, multiples of the network's total stride. 384 x 128 is the
            published value.
        last_stride: Stride of the last stage; 1, usual in person search, doubles the final grid (to 24 x 8), 2 is
            CLIP's.
        pool: ``'attention'``, CLIP's pool; ``'mean'``, which trains from random weights where attention stalls; or None
            for the map (N, C, H, W), which a neck pools.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If an argument is none of the above.

    Example:
        >>> import torch
        >>> backbone = CLIPResNet(layers=(1, 1, 1, 1), width=16, input_size=(96, 32), pool='mean')
        >>> backbone(torch.rand(2, 3, 96, 32)).shape
        torch.Size([2, 512])
    """

    attnpool: nn.Module

    def __init__(
        self,
        layers: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
        heads: int | None = None,
        output_dim: int | None = None,
        input_size: tuple[int, int] = (384, 128),
        last_stride: int = 1,
        pool: str | None = 'attention',
        init_cfg: dict | None = None,
    ) -> None:
        embed_dim = width * 32
        if last_stride not in (1, 2):
            raise ValueError(f'CLIPResNet: last_stride must be 1 or 2, got {last_stride}')
        if pool not in ('attention', 'mean', None):
            raise ValueError(f"CLIPResNet: pool must be 'attention', 'mean' or None, got {pool!r}")
        if pool != 'attention' and (heads is not None or output_dim not in (None, embed_dim)):
            raise ValueError(
                f"CLIPResNet: leave heads and output_dim out with pool={pool!r}; only 'attention' has them"
            )
        stride = 16 * last_stride
        if any(side % stride for side in input_size):
            raise ValueError(f'CLIPResNet: input_size must be multiples of {stride}, got {tuple(input_size)}')

        heads = heads or max(embed_dim // 64, 1)
        output_dim = output_dim or embed_dim
        super().__init__(list(layers), output_dim, heads, width=width)
        self.init_cfg = init_cfg
        if last_stride == 1:
            first = self.layer4[0]
            first.avgpool = nn.Identity()
            first.downsample[0] = nn.Identity()
        grid = (input_size[0] // stride, input_size[1] // stride)
        if pool == 'attention':
            self.attnpool = MeanTokenAttentionPool(grid, embed_dim, heads, output_dim)
            self.init_parameters()
        else:
            self.attnpool = _MeanPool() if pool == 'mean' else nn.Identity()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Fit a positional embedding of another grid to this one."""
        name = f'{prefix}attnpool.positional_embedding'
        pool = self.attnpool
        if name in state_dict and isinstance(pool, MeanTokenAttentionPool):
            embedding = state_dict[name]
            if len(embedding) != len(pool.positional_embedding):
                state_dict[name] = resize_positional_embedding(embedding, pool.grid)
        super()._load_from_state_dict(state_dict, prefix, *args)
