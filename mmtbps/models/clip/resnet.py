"""CLIP's modified ResNet for pedestrian images."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from mmengine.model import BaseModule
from open_clip.modified_resnet import ModifiedResNet
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from mmtbps.core.arguments import checked
from mmtbps.core.checks import at_least, positive
from mmtbps.registry import MODELS

from .attention_pool import MeanTokenAttentionPool
from .freezing import begins_with, freeze_named

__all__ = ['CLIPResNet']


class _MeanPool(nn.Sequential):
    """Global average pooling to (N, C)."""

    def __init__(self) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), nn.Flatten())


@contextmanager
def _unchanged_buffers(module: nn.Module) -> Iterator[None]:
    """Let norms count a batch in copies of their running statistics: a recomputed batch has been counted before."""
    buffers = {part: part._buffers for part in module.modules()}
    for part, own in buffers.items():
        part._buffers = {name: None if value is None else value.clone() for name, value in own.items()}
    try:
        yield
    finally:
        for part, own in buffers.items():
            part._buffers = own


@MODELS.register_module()
class CLIPResNet(ModifiedResNet, BaseModule):
    """CLIP's modified ResNet (Radford et al. 2021) for images of any size, with open_clip's names of all weights.

    The positional embedding is resized when weights of a square grid are loaded, as released ones are (row of the mean
    token copied, grid bilinear, ``align_corners=False``). The grid travels in checkpoints: a training that starts from
    one of another input size resizes it likewise.

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
        frozen_stages: -1 trains everything, 0 freezes the stem, i also the first i stages; 4 freezes all, the pool
            included. Norms of what is frozen use their running statistics and keep them.
        frozen: Beginnings of names of parameters to freeze, whole parts of a dotted name, such as ``('layer1.0',)``;
            norms below them are frozen as those of ``frozen_stages``.
        with_cp: Whether to recompute the blocks in the backward pass, which saves memory and costs time. Gradients and
            running statistics are the same.
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

    @checked(
        layers=positive, width=positive, heads=positive, output_dim=positive, input_size=positive,
        frozen_stages=at_least(-1),
    )  # fmt: skip
    def __init__(
        self,
        layers: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
        heads: int | None = None,
        output_dim: int | None = None,
        input_size: tuple[int, int] = (384, 128),
        last_stride: int = 1,
        pool: str | None = 'attention',
        frozen_stages: int = -1,
        frozen: Sequence[str] = (),
        with_cp: bool = False,
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
        if not -1 <= frozen_stages <= 4:
            raise ValueError(
                f'CLIPResNet: frozen_stages must lie between -1 (none) and 4 (all), but got {frozen_stages}'
            )

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
        self.with_cp = with_cp
        self.frozen_stages = frozen_stages
        self.frozen = tuple(frozen)
        freeze_named(self, frozen)
        for name, parameter in self.named_parameters():
            if self._is_frozen(name):
                parameter.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Turn images (N, 3, H, W) into features (N, output_dim), or into a map without a pool."""
        features = self.stem(images)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            for block in stage:
                features = self._recomputed(block, features) if self.with_cp else block(features)
        return self.attnpool(features)

    def train(self, mode: bool = True) -> 'CLIPResNet':
        """Set the mode; norms of what is frozen stay in evaluation mode."""
        super().train(mode)
        for name, module in self.named_modules():
            if isinstance(module, _BatchNorm) and self._is_frozen(name):
                module.eval()
        return self

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Get the depth of a parameter for layer-wise learning rates, as MMPretrain's backbones do.

        Args:
            param_name: Name of a parameter.
            prefix: What the names of this backbone's parameters start with. Defaults to ''.

        Returns:
            Depth and number of depths, 6: 0 is the stem, i the i-th stage, 5 the attention pool and everything that is
            not in this backbone.
        """
        first = param_name.removeprefix(prefix).split('.')[0]
        if not param_name.startswith(prefix) or first == 'attnpool':
            return 5, 6
        return (int(first.removeprefix('layer')) if first.startswith('layer') else 0), 6

    def _is_frozen(self, name: str) -> bool:
        return (
            self.frozen_stages == 4
            or self.get_layer_depth(name)[0] <= self.frozen_stages
            or begins_with(name, self.frozen)
        )

    @staticmethod
    def _recomputed(block: nn.Module, features: Tensor) -> Any:
        def contexts() -> tuple[AbstractContextManager, AbstractContextManager]:
            return nullcontext(), _unchanged_buffers(block)

        return checkpoint(block, features, use_reentrant=False, context_fn=contexts)
