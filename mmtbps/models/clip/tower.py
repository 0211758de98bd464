"""What the image and the text transformer of CLIP have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

import open_clip
import torch
from mmengine.model import BaseModule
from open_clip.transformer import Transformer
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ..structures import TokenFeatures
from .attention import attention_row
from .freezing import freeze_named

__all__ = ['CLIPActivation', 'CLIPTower', 'read_arch']

_DEFAULTS: dict[str, dict[str, Any]] = {
    'vision_cfg': dict(layers=12, width=768, head_width=64, patch_size=16, mlp_ratio=4.0),
    'text_cfg': dict(layers=12, width=512, heads=8, mlp_ratio=4.0, context_length=77, vocab_size=49408),
}


def read_arch(arch: str | Mapping[str, Any], tower: str) -> dict[str, Any]:
    """Look up the sizes of a tower.

    Args:
        arch: Name of one of open_clip's models, or a mapping with ``embed_dim`` and any of the tower's own sizes
            (those that are missing have open_clip's defaults).
        tower: ``'vision_cfg'`` or ``'text_cfg'``.

    Returns:
        Every size of the tower, ``embed_dim`` and ``quick_gelu``.

    Raises:
        ValueError: If there is no such model, or its tower is no plain transformer.
    """
    known = _DEFAULTS[tower]
    if isinstance(arch, Mapping):
        sizes = dict(arch)
        if 'embed_dim' not in sizes or not set(sizes) <= {'embed_dim', *known}:
            raise ValueError(f'arch needs embed_dim and may have {sorted(known)}, but got {sorted(sizes)}')
        return {**known, 'quick_gelu': False, **sizes}
    if arch not in open_clip.list_models():
        raise ValueError(f'open_clip has no model {arch!r}; open_clip.list_models() names those it has')
    model = open_clip.get_model_config(arch)
    sizes = {key: value for key, value in model[tower].items() if key != 'image_size'}
    if not set(sizes) <= set(known) or not isinstance(sizes['layers'], int):
        raise ValueError(
            f'{arch} has no plain CLIP transformer in its {tower}: {sizes}. For RN50 and its kin use CLIPResNet.'
        )
    return {**known, **sizes, 'embed_dim': model['embed_dim'], 'quick_gelu': model.get('quick_gelu', False)}


class CLIPActivation(nn.Module):
    """GELU, or the approximation x sigmoid(1.702 x) that OpenAI trained with."""

    quick = False

    def forward(self, features: Tensor) -> Tensor:
        """Apply the activation, elementwise."""
        return features * torch.sigmoid(1.702 * features) if self.quick else functional.gelu(features)

    def extra_repr(self) -> str:
        """Tell which one it is."""
        return f'quick={self.quick}'


class CLIPTower(BaseModule):
    """Freezing, depth of layers, activation and positions of a CLIP transformer; mixed into one of open_clip's.

    Weights belong to one of two activations, GELU or QuickGELU (all of OpenAI's). Which one it is
    stands in the buffer ``quick_gelu`` and thereby in checkpoints, so that a model that was fine-tuned from OpenAI's
    weights is never run with the other.

    Attributes:
        arch: Name of open_clip's model, or None for sizes of one's own.
    """

    gives_tokens = True
    """Streams ask this of a backbone before they ask for ``with_tokens``."""
    arch: str | None
    transformer: Transformer
    quick_gelu: Tensor
    stem: tuple[str, ...] = ()
    """First parts of the names of the parameters that come before the blocks."""

    def finish(
        self,
        arch: str | Mapping[str, Any],
        quick_gelu: bool,
        frozen_stages: int,
        frozen: Sequence[str],
        with_cp: bool,
        init_cfg: dict | list[dict] | None,
    ) -> None:
        """Second half of the constructors, after open_clip's has built the layers."""
        self.init_cfg = init_cfg
        self.arch = arch if isinstance(arch, str) else None
        self.register_buffer('quick_gelu', torch.tensor(0))
        self.set_quick_gelu(quick_gelu)
        self.set_grad_checkpointing(with_cp)
        self._freeze(frozen_stages)
        freeze_named(self, frozen)

    def set_quick_gelu(self, quick: bool) -> None:
        """Choose the activation of all blocks."""
        self.quick_gelu.fill_(int(quick))
        for module in self.modules():
            if isinstance(module, CLIPActivation):
                module.quick = quick

    def run_blocks(
        self, features: Tensor, rows: Tensor, mask: Tensor, attn_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Run all blocks, and compute one row of the last one's attention on the way.

        Args:
            features: Embedded positions, (N, L, C).
            rows: The position of each item whose attention is wanted, (N,).
            mask: Which positions it may attend to, bool, (N, L).
            attn_mask: What is added to the scores of attention, (L, L).

        Returns:
            The output of the last block (N, L, C) and the row (N, L).
        """
        *blocks, last = self.transformer.resblocks
        for block in blocks:
            features = self._run_block(block, features, attn_mask)
        return self._run_block(last, features, attn_mask), attention_row(last, features, rows, mask)

    def _run_block(self, block: nn.Module, features: Tensor, attn_mask: Tensor | None) -> Any:
        if self.transformer.grad_checkpointing:
            return checkpoint(block, features, None, None, attn_mask, use_reentrant=False)
        return block(features, attn_mask=attn_mask)

    def token_features(self, tokens: Tensor, rows: Tensor, mask: Tensor, attention: Tensor | None) -> TokenFeatures:
        """Put the answer of ``with_tokens`` together.

        Args:
            tokens: All positions, normalised and projected, (N, L, D).
            rows: The position of each item that is its feature, (N,).
            mask: Which positions belong to the item, bool, (N, L).
            attention: Row of attention (N, L), if it was asked for.

        Returns:
            The structure.
        """
        pooled = tokens[torch.arange(tokens.shape[0], device=tokens.device), rows]
        features = TokenFeatures(pooled=pooled, tokens=tokens, mask=mask)
        if attention is not None:
            features.attention = attention
        return features

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Get the depth of a parameter for layer-wise learning rates, as MMPretrain's transformers do.

        Args:
            param_name: Name of a parameter.
            prefix: What the names of this tower's parameters start with. Defaults to ''.

        Returns:
            Depth and number of depths: 0 is the embedding, i the i-th block, the last the final norm and projection,
            and everything that is not in this tower.
        """
        depths = len(self.transformer.resblocks) + 2
        parts = param_name.removeprefix(prefix).split('.')
        if not param_name.startswith(prefix):
            return depths - 1, depths
        if parts[0] in self.stem:
            return 0, depths
        if parts[:2] == ['transformer', 'resblocks']:
            return int(parts[2]) + 1, depths
        return depths - 1, depths

    def _freeze(self, frozen_stages: int) -> None:
        layers = len(self.transformer.resblocks)
        if not -1 <= frozen_stages <= layers:
            raise ValueError(
                f'{type(self).__name__}: frozen_stages must lie between -1 (none) and {layers} (all), but got '
                f'{frozen_stages}'
            )
        deepest = layers + 1 if frozen_stages == layers else frozen_stages
        for name, parameter in self.named_parameters():
            if self.get_layer_depth(name)[0] <= deepest:
                parameter.requires_grad_(False)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Take the activation over; released weights do not name it, which leaves it as it is."""
        quick = state_dict.setdefault(f'{prefix}quick_gelu', self.quick_gelu)
        self.set_quick_gelu(bool(quick))
        super()._load_from_state_dict(state_dict, prefix, *args)
