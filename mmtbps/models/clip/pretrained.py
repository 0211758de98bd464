"""Initialise the towers of CLIP from released weights."""

import logging
from collections.abc import Sequence
from fnmatch import fnmatch
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import update_init_info
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import TextTransformer, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from mmtbps.core.arguments import checked
from mmtbps.registry import WEIGHT_INITIALIZERS

from .positions import GRID, fit_positions
from .tower import CLIPTower
from .weights import CLIPWeights, load_clip_weights

__all__ = ['CLIPPretrainedInit']

# Released weights lack the first at times, and the others always, as they are ours.
_OPTIONAL = ('num_batches_tracked', 'quick_gelu', GRID)


@WEIGHT_INITIALIZERS.register_module('CLIPPretrained')
class CLIPPretrainedInit:
    """Load released CLIP weights into CLIPResNet, CLIPViT or CLIPTextTransformer, or its scale into a Temperature.

    Positional embeddings are resized to the input (image: row of the class or mean token copied, grid bilinear;
    text: linear), half precision becomes single, and the activation becomes the one that the weights belong to. An
    image's grid is a square, unless the file says which one it is.

    Args:
        checkpoint: A file, or one of open_clip's tags, such as ``'openai'``; see :func:`load_clip_weights`.
        model: Name of open_clip's model that the tag belongs to, such as ``'RN50'``. None takes the backbone's
            ``arch``; a file does not need it.
        ignore: Patterns (as of :mod:`fnmatch`) of names that may be in only one of file and backbone, such as
            ``'attnpool.*'`` for a CLIPResNet with another pool. Every other mismatch is an error.

    Raises:
        FileNotFoundError: If the weights are not there and cannot be downloaded; says what to fetch.
        ValueError: If the file is no such weights, or its names, shapes and grid are not those of the backbone.
        TypeError: If the module is no tower of CLIP.

    Example:
        >>> backbone = dict(
        ...     type='CLIPViT', arch='ViT-B-16', init_cfg=dict(type='CLIPPretrained', checkpoint='openai')
        ... )
    """

    @checked()
    def __init__(self, checkpoint: str, model: str | None = None, ignore: Sequence[str] = ()) -> None:
        self.checkpoint = checkpoint
        self.model = model
        self.ignore = tuple(ignore)

    def __call__(self, module: nn.Module) -> None:
        """Load the weights into a tower, or the scale into a learnable temperature, in place."""
        if isinstance(getattr(module, 'logit_scale', None), nn.Parameter):
            self._load_scale(module)
            return
        if isinstance(module, TextTransformer):
            tower = 'text'
        elif isinstance(module, ModifiedResNet | VisionTransformer):
            tower = 'visual'
        else:
            raise TypeError(
                'CLIPPretrained initialises CLIPResNet, CLIPViT, CLIPTextTransformer and a learnable Temperature, not '
                f'{type(module).__name__}.'
            )
        weights = load_clip_weights(self.checkpoint, self.model or getattr(module, 'arch', None))
        state = weights.tower(tower)
        _fit_positions(state, module, weights.source)
        self._check(state, module, weights)
        module.load_state_dict(state, strict=False)
        if isinstance(module, CLIPTower):
            _choose_activation(module, weights)
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=f'CLIPPretrained: load from {weights.source}')

    def _load_scale(self, module: Any) -> None:
        """Take over what CLIP multiplies its cosines by."""
        weights = load_clip_weights(self.checkpoint, self.model)
        scale = weights.state_dict.get('logit_scale')
        if scale is None:
            raise ValueError(
                f'{weights.source} has no logit_scale. Take the file of a whole CLIP model, or give the temperature '
                'without init_cfg.'
            )
        with torch.no_grad():
            module.logit_scale.copy_(scale.reshape(()))

    def _check(self, state: dict[str, Tensor], module: nn.Module, weights: CLIPWeights) -> None:
        """Demand that names and shapes fit, but for the names to ignore."""
        own = module.state_dict()
        unmatched = [name for name in own.keys() ^ state.keys() if name.split('.')[-1] not in _OPTIONAL]
        unmatched += weights.unexpected_keys()
        idle = [pattern for pattern in self.ignore if not any(fnmatch(name, pattern) for name in unmatched)]
        faults = [
            f'{name}: only in the {"backbone" if name in own else "weights"}'
            for name in sorted(unmatched)
            if not any(fnmatch(name, pattern) for pattern in self.ignore)
        ]
        faults += [
            f'{name}: {tuple(state[name].shape)} in the weights, {tuple(own[name].shape)} in the backbone'
            for name in sorted(own.keys() & state.keys())
            if own[name].shape != state[name].shape
        ]
        if faults:
            shown = '; '.join(faults[:20]) + (f'; and {len(faults) - 20} more' if len(faults) > 20 else '')
            raise ValueError(
                f'{weights.source} does not fit {type(module).__name__}: {shown}. Use the arch of these weights; names '
                'that may stay unmatched go to ignore of init_cfg.'
            )
        if idle:
            raise ValueError(f'ignore={idle} matches no name that is unmatched between {weights.source} and backbone.')


def _fit_positions(state: dict[str, Tensor], module: Any, source: str) -> None:
    """Resize the positional embedding of the weights to the tower's, in place; that it may be missing comes later."""
    if isinstance(module, TextTransformer):
        rows = state.get('positional_embedding')
        if rows is not None and len(rows) != module.context_length:
            longer = F.interpolate(rows.t()[None], module.context_length, mode='linear', align_corners=False)
            state['positional_embedding'] = longer[0].t()
        return
    prefix, owner = ('attnpool.', module.attnpool) if isinstance(module, ModifiedResNet) else ('', module)
    if hasattr(owner, GRID):
        try:
            fit_positions(state, owner.grid, prefix, released=True)
        except ValueError as error:
            raise ValueError(f'{source}: {error}') from error


def _choose_activation(tower: CLIPTower, weights: CLIPWeights) -> None:
    """Set the activation that the weights need; say so if that cannot be known and the setting is doubtful."""
    if weights.quick_gelu is not None:
        tower.set_quick_gelu(weights.quick_gelu)
    elif not tower.quick_gelu:
        print_log(
            f'{weights.source} does not tell its activation; {type(tower).__name__} uses GELU. OpenAI, MetaCLIP and '
            'DFN trained with QuickGELU: set quick_gelu=True for theirs.',
            logger='current',
            level=logging.WARNING,
        )
