"""Configs of CLIP's towers from the sizes of their weights."""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

__all__ = ['Options', 'Tower', 'image_tower', 'text_tower']

HEAD_WIDTH = 64
"""CLIP's rule: as many heads as the width has multiples of this."""


@dataclass(frozen=True)
class Options:
    """What weights do not tell. None takes what the layout or CLIP's rules say.

    Args:
        input_size: Height and width of the images.
        stride: Step from patch to patch. Defaults to None: the patch size.
        vision_heads: Attention heads of the image tower. Defaults to None: one for 64 channels.
        text_heads: Attention heads of the text tower. Defaults to None: likewise.
        quick_gelu: Whether the activation is QuickGELU. Defaults to None: as the layout's models have it.
        mean: Mean of the channels RGB on the scale 0 .. 255. Defaults to None: the layout's.
        std: Their standard deviation, likewise.
        interpolation: 'bilinear' or 'bicubic', of Pillow. Defaults to None: the layout's.
        default_quick_gelu: ``quick_gelu`` for weights that do not tell it either. Defaults to None: they are refused.
    """

    input_size: tuple[int, int] | None = None
    stride: int | None = None
    vision_heads: int | None = None
    text_heads: int | None = None
    quick_gelu: bool | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    interpolation: str | None = None
    default_quick_gelu: bool | None = None


@dataclass(frozen=True)
class Tower:
    """Config of a tower, and what stands beside it.

    Args:
        config: Config of the backbone.
        dim: Length of its feature.
        input_size: Height and width of the images; None for text.
        own_grid: Rows and columns of its positional embedding; None for text.
        context_length: Number of its positions; 0 for images.
    """

    config: dict[str, Any]
    dim: int
    input_size: tuple[int, int] | None = None
    own_grid: tuple[int, int] | None = None
    context_length: int = 0


def image_tower(weights: Mapping[str, Tensor], options: Options, resizes: bool) -> Tower:
    """Tell the config of an image tower.

    Args:
        weights: Weights of the tower.
        options: What they do not tell.
        resizes: Whether its positions may be resized to the input size, as those of released CLIP weights are: a square
            becomes the grid of 384 x 128 then.

    Raises:
        ValueError: If they are not of one tower, or the grid of the positions is not known.
    """
    return _resnet(weights, options, resizes) if 'layer1.0.conv1.weight' in weights else _vit(weights, options, resizes)


def _vit(weights: Mapping[str, Tensor], options: Options, resizes: bool) -> Tower:
    patch = int(_of(weights, 'conv1.weight').shape[-1])
    width = len(_of(weights, 'class_embedding'))
    stride = options.stride or patch
    own = _own_grid(len(_of(weights, 'positional_embedding')) - 1, patch, stride, options, resizes)
    size = options.input_size or ((384, 128) if resizes else (own[0] * patch, own[1] * patch))
    dim = int(_of(weights, 'proj').shape[1])
    arch = dict(
        embed_dim=dim, layers=_blocks(weights), width=width,
        head_width=width // _heads(width, options.vision_heads, 'vision_heads'), patch_size=patch,
        **_mlp(weights, width),
    )  # fmt: skip
    config: dict[str, Any] = dict(type='CLIPViT', arch=arch, input_size=size)
    if stride != patch:
        config['stride'] = stride
    return Tower(config, dim, size, own)


def _own_grid(count: int, patch: int, stride: int, options: Options, resizes: bool) -> tuple[int, int]:
    """Rows and columns of positions: what the input size says, a square, or three times as high as wide."""
    side, third = math.isqrt(count), math.isqrt(count // 3)
    if resizes and side**2 == count:
        return side, side
    if options.input_size is not None:
        rows, columns = ((length - patch) // stride + 1 for length in options.input_size)
        if rows * columns == count:
            return rows, columns
        raise ValueError(
            f'{count} positions are not those of images of {options.input_size[0]} x {options.input_size[1]} in '
            f'patches of {patch} with stride {stride}, which have {rows} x {columns}. Give the input_size and stride '
            'of the training.'
        )
    if stride == patch:
        if side**2 == count:
            return side, side
        if 3 * third**2 == count:
            return 3 * third, third
    raise ValueError(
        f'{count} positions may be those of many input sizes. Give the one of the training, --option '
        f'input_size=HEIGHTxWIDTH, and stride=N if it is not the patch size, {patch}.'
    )


def _resnet(weights: Mapping[str, Tensor], options: Options, resizes: bool) -> Tower:
    layers = tuple(_count(weights, rf'layer{number}\.(\d+)\.') for number in (1, 2, 3, 4))
    width = len(_of(weights, 'layer1.0.conv1.weight'))
    count = len(_of(weights, 'attnpool.positional_embedding')) - 1
    side, dim = math.isqrt(count), len(_of(weights, 'attnpool.c_proj.weight'))
    if side**2 != count:
        raise ValueError(f'The attention pool has {count} positions, which are no square: no released CLIP model.')
    size = options.input_size or ((384, 128) if resizes else (32 * side, 32 * side))
    config: dict[str, Any] = dict(
        type='CLIPResNet', layers=layers, width=width, heads=_heads(32 * width, options.vision_heads, 'vision_heads'),
        output_dim=dim, input_size=size, last_stride=2,
    )  # fmt: skip
    return Tower(config, dim, size, (side, side))


def text_tower(weights: Mapping[str, Tensor], options: Options) -> Tower:
    """Tell the config of a text tower.

    Args:
        weights: Weights of the tower.
        options: What they do not tell.

    Raises:
        ValueError: If they are not of one tower.
    """
    vocabulary, width = _of(weights, 'token_embedding.weight').shape
    context = len(_of(weights, 'positional_embedding'))
    dim = int(_of(weights, 'text_projection').shape[1])
    arch = dict(
        embed_dim=dim, layers=_blocks(weights), width=width,
        heads=_heads(width, options.text_heads, 'text_heads'), vocab_size=vocabulary, context_length=context,
        **_mlp(weights, width),
    )  # fmt: skip
    return Tower(dict(type='CLIPTextTransformer', arch=arch), dim, context_length=context)


def _of(weights: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in weights:
        raise ValueError(f'The tower lacks {name}; its {len(weights)} weights are not those of a whole tower of CLIP.')
    return weights[name]


def _blocks(weights: Collection[str]) -> int:
    return _count(weights, r'transformer\.resblocks\.(\d+)\.')


def _count(names: Collection[str], pattern: str) -> int:
    """How many different numbers a pattern finds; they must be 0 .. n - 1."""
    numbers = {int(match[1]) for name in names if (match := re.match(pattern, name))}
    if numbers != set(range(len(numbers))) or not numbers:
        raise ValueError(f'The layers of the tower are {sorted(numbers)}; some are missing.')
    return len(numbers)


def _heads(width: int, given: int | None, option: str) -> int:
    heads = given or width // HEAD_WIDTH
    if not heads or width % heads:
        raise ValueError(
            f'The weights do not tell the number of heads, and a width of {width} is no multiple of '
            f'{given or HEAD_WIDTH}{"" if given else ", as CLIP has it"}. Give it: --option {option}=N.'
        )
    return heads


def _mlp(weights: Mapping[str, Tensor], width: int) -> dict[str, float]:
    ratio = len(_of(weights, 'transformer.resblocks.0.mlp.c_fc.weight')) / width
    return {} if ratio == 4 else dict(mlp_ratio=ratio)
