"""CLIP's vision transformer for pedestrian images."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

from mmtbps.core.arguments import checked
from mmtbps.core.checks import at_least, positive
from mmtbps.registry import MODELS

from ..structures import TokenFeatures
from .positions import fit_positions, store_grid
from .tower import CLIPActivation, CLIPTower, read_arch

__all__ = ['CLIPViT']


@MODELS.register_module()
class CLIPViT(VisionTransformer, CLIPTower):
    """CLIP's vision transformer (Radford et al., ICML 2021) for images of any size, with open_clip's names of weights.

    ``init_cfg=dict(type='CLIPPretrained', checkpoint='openai')`` loads released weights; their positional embedding is
    resized to the grid of the input (row of the class token copied, grid bilinear, ``align_corners=False``), and the
    activation becomes the one that the weights were trained with. The grid travels in checkpoints: a training that
    starts from one of another input size resizes it likewise.

    Args:
        arch: Name of one of open_clip's models, such as ``'ViT-B-16'``, ``'ViT-B-32'``, ``'ViT-L-14'``, or a mapping
            with ``embed_dim`` (length of the feature) and any of ``layers``, ``width``, ``head_width``,
            ``patch_size``, ``mlp_ratio``.
        input_size: Height and width of the images. What is left at the right and lower edge and does not fill a patch
            is not seen.
        stride: Step from patch to patch; below the patch size patches overlap and the grid is finer. None steps by
            the patch size, as CLIP does.
        quick_gelu: Activation of weights that do not say which one they need. False is open_clip's default.
        frozen_stages: -1 trains everything, 0 freezes the embedding, i also the first i blocks; the number of blocks
            freezes all.
        frozen: Beginnings of names of parameters to freeze, whole parts of a dotted name, such as ``('conv1',)``, which
            TBPS-CLIP (Cao et al., AAAI 2024) freezes alone.
        with_cp: Whether to recompute the blocks in the backward pass, which saves memory and costs time.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If an argument is none of the above, or images have another size than ``input_size``.

    Example:
        >>> import torch
        >>> arch = dict(embed_dim=16, layers=2, width=32, head_width=16, patch_size=8)
        >>> CLIPViT(arch, input_size=(48, 16))(torch.rand(2, 3, 48, 16)).shape
        torch.Size([2, 16])
    """

    stem = ('conv1', 'class_embedding', 'positional_embedding', 'ln_pre')

    @checked(input_size=positive, stride=positive, frozen_stages=at_least(-1))
    def __init__(
        self,
        arch: str | Mapping[str, Any] = 'ViT-B-16',
        input_size: tuple[int, int] = (384, 128),
        stride: int | None = None,
        quick_gelu: bool = False,
        frozen_stages: int = -1,
        frozen: Sequence[str] = (),
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        sizes = read_arch(arch, 'vision_cfg')
        patch, width = sizes['patch_size'], sizes['width']
        stride = patch if stride is None else stride
        if not 1 <= stride <= patch:
            raise ValueError(f'CLIPViT: stride must lie between 1 and the patch size {patch}, got {stride}')
        if min(input_size) < patch:
            raise ValueError(f'CLIPViT: input_size {tuple(input_size)} is smaller than a patch of {patch}')
        super().__init__(
            image_size=tuple(input_size),
            patch_size=patch,
            width=width,
            layers=sizes['layers'],
            heads=width // sizes['head_width'],
            mlp_ratio=sizes['mlp_ratio'],
            output_dim=sizes['embed_dim'],
            act_layer=CLIPActivation,
        )
        if stride != patch:
            self.conv1 = nn.Conv2d(3, width, patch, stride, bias=False)
            self.grid_size = ((input_size[0] - patch) // stride + 1, (input_size[1] - patch) // stride + 1)
            tokens = 1 + self.grid_size[0] * self.grid_size[1]
            self.positional_embedding = nn.Parameter(torch.randn(tokens, width) / width**0.5)
        store_grid(self, self.grid_size)
        self.finish(arch, quick_gelu or sizes['quick_gelu'], frozen_stages, frozen, with_cp, init_cfg)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Resize positions of a square, as released weights have them; those of another rectangle are refused."""
        fit_positions(state_dict, self.grid_size, prefix, squares_only=True)
        super()._load_from_state_dict(state_dict, prefix, *args)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.grid_size

    def forward(
        self, images: Tensor, with_tokens: bool = False, with_attention: bool = False
    ) -> Tensor | TokenFeatures:
        """Turn images into features.

        Args:
            images: (N, 3, H, W).
            with_tokens: Whether to return all positions, the class token first, then the patches row by row.
            with_attention: Whether ``attention`` is among them, the row of the class token.

        Returns:
            The class token, normalised and projected, (N, embed_dim); or :class:`~mmtbps.models.TokenFeatures`.

        Raises:
            ValueError: If the images have another size than ``input_size``.
        """
        if images.shape[-2:] != self.image_size:
            raise ValueError(
                f'CLIPViT: images are {tuple(images.shape[-2:])}, but input_size is {self.image_size}; resize them in '
                'the pipeline, or set input_size'
            )
        return self._forward_tokens(images, with_attention) if with_tokens else super().forward(images)

    def _forward_tokens(self, images: Tensor, with_attention: bool) -> TokenFeatures:
        features, attention = self._embeds(images), None
        rows = torch.zeros(features.shape[0], dtype=torch.int64, device=features.device)
        mask = torch.ones(features.shape[:2], dtype=torch.bool, device=features.device)
        if with_attention:
            features, attention = self.run_blocks(features, rows, mask)
        else:
            features = self.transformer(features)
        return self.token_features(self.ln_post(features) @ self.proj, rows, mask, attention)
