"""Configs of CLIP's towers from the sizes of their weights."""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor

__all__ = ['Options', 'Tower', 'image_tower', 'sizes_of', 'text_tower', 'weight_of']

HEAD_WIDTH = 64
"""CLIP's rule: as many heads as the width has multiples of this."""

VOCABULARY = 49_408
"""Tokens that CLIP's tokenizer knows."""

_LONGEST_SIDE = 4096
"""Of images; more is a slip of the pen."""


@dataclass(frozen=True)
class Options:
    """What weights do not tell. None takes what the layout or CLIP's rules say.

    Args:
        input_size: Height and width of the images.
        stride: Step from patch to patch. Defaults to None: the patch size.
        vision_heads: Attention heads of the image tower. Defaults to None: those of open_clip's model of these sizes,
            or one for 64 channels.
        text_heads: Attention heads of the text tower. Defaults to None: one for 64 channels.
        quick_gelu: Whether the activation is QuickGELU. Defaults to None: as the layout's models have it.
        mean: Mean of the channels RGB on the scale 0 .. 255. Defaults to None: the layout's.
        std: Their standard deviation, likewise.
        interpolation: 'bilinear' or 'bicubic', of Pillow. Defaults to None: the layout's.
        vocab_size: Tokens of a text tower that does not read CLIP's, for callers who make its ids themselves. Defaults
            to None: CLIP's 49,408.
        model: open_clip's name of the model, whose config tells heads and activation. Defaults to None: not known.

    Raises:
        ValueError: If a value is none that a model can have.
    """

    input_size: tuple[int, int] | None = None
    stride: int | None = None
    vision_heads: int | None = None
    text_heads: int | None = None
    quick_gelu: bool | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    interpolation: str | None = None
    vocab_size: int | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        for name in ('stride', 'vision_heads', 'text_heads', 'vocab_size'):
            value = getattr(self, name)
            _require(value is None or value >= 1, name, value, 'must be at least 1')
        sides = self.input_size or (1, 1)
        _require(
            all(1 <= side <= _LONGEST_SIDE for side in sides), 'input_size', sides, f'must lie in 1 .. {_LONGEST_SIDE}'
        )
        for name in ('mean', 'std'):
            values = getattr(self, name) or ()
            _require(all(map(math.isfinite, values)), name, values, 'must be finite')
        _require(min(self.std or (1,)) > 0, 'std', self.std, 'must lie above 0')

    def given(self) -> list[str]:
        """Names of the options that are not None."""
        return [field.name for field in fields(self) if getattr(self, field.name) is not None]


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


def sizes_of(image: Mapping[str, Tensor], text: Mapping[str, Tensor]) -> dict[str, Any]:
    """Tell the sizes of both towers that a description of a model tells too, from their weights.

    Raises:
        ValueError: If they are not of one tower each.
    """
    if 'layer1.0.conv1.weight' in image:
        layers: Any = _stages(image)
        own = {'image tower': 'ModifiedResNet', 'image width': len(weight_of(image, 'layer1.0.conv1.weight', 4))}
    else:
        patch, layers = int(weight_of(image, 'conv1.weight', 4).shape[-1]), _blocks(image)
        width = len(weight_of(image, 'class_embedding', 1))
        own = {'image tower': 'ViT', 'patch size': patch, 'image width': width}
    width, dim = weight_of(text, 'text_projection', 2).shape
    return {
        **own, 'image layers': layers, 'text width': width, 'text layers': _blocks(text), 'length of a feature': dim,
    }  # fmt: skip


def image_tower(
    weights: Mapping[str, Tensor],
    options: Options,
    resizes: bool,
    head_widths: Mapping[tuple[int, Any, int], int] | None = None,
) -> Tower:
    """Tell the config of an image tower.

    Args:
        weights: Weights of the tower.
        options: What they do not tell.
        resizes: Whether its positions may be resized to the input size, as those of released CLIP weights are: a square
            becomes the grid of 384 x 128 then.
        head_widths: Channels of a head of known models, by width, layers and patch size. Defaults to None: none.

    Raises:
        ValueError: If they are not of one tower, or the grid of the positions is not known.
    """
    if 'layer1.0.conv1.weight' in weights:
        return _resnet(weights, options, resizes)
    return _vit(weights, options, resizes, head_widths or {})


def _vit(
    weights: Mapping[str, Tensor], options: Options, resizes: bool, head_widths: Mapping[tuple[int, Any, int], int]
) -> Tower:
    patch = int(weight_of(weights, 'conv1.weight', 4).shape[-1])
    width, layers = len(weight_of(weights, 'class_embedding', 1)), _blocks(weights)
    stride = options.stride or patch
    if stride > patch:
        raise ValueError(f'--option stride={stride}: it must not exceed the patch size, {patch}.')
    own = _own_grid(len(weight_of(weights, 'positional_embedding', 2)) - 1, patch, stride, options, resizes)
    size = options.input_size or ((384, 128) if resizes else (own[0] * patch, own[1] * patch))
    if min(size) < patch:
        raise ValueError(f'--option input_size={size[0]}x{size[1]}: it must not be smaller than a patch of {patch}.')
    dim = int(weight_of(weights, 'proj', 2).shape[1])
    arch = dict(
        embed_dim=dim, layers=layers, width=width,
        head_width=width // _vision_heads(width, layers, patch, options.vision_heads, head_widths), patch_size=patch,
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
    if options.stride is not None:
        raise ValueError('--option stride: it is that of patches, which a ModifiedResNet has not; leave it out.')
    layers = tuple(_stages(weights))
    width = len(weight_of(weights, 'layer1.0.conv1.weight', 4))
    count = len(weight_of(weights, 'attnpool.positional_embedding', 2)) - 1
    side, dim = math.isqrt(max(count, 0)), len(weight_of(weights, 'attnpool.c_proj.weight', 2))
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
    vocabulary, width = weight_of(weights, 'token_embedding.weight', 2).shape
    if vocabulary != (options.vocab_size or VOCABULARY):
        raise ValueError(
            f'The text tower reads a vocabulary of {vocabulary} tokens, not '
            + (f'the {VOCABULARY} of' if options.vocab_size is None else f'vocab_size={options.vocab_size} instead of')
            + " CLIP's tokenizer, which prepares all sentences here. Take a model with that tokenizer; who makes the "
            f'ids by other means gives --option vocab_size={vocabulary}.'
        )
    context = len(weight_of(weights, 'positional_embedding', 2))
    dim = int(weight_of(weights, 'text_projection', 2).shape[1])
    arch = dict(
        embed_dim=dim, layers=_blocks(weights), width=width,
        heads=_heads(width, options.text_heads, 'text_heads'), vocab_size=vocabulary, context_length=context,
        **_mlp(weights, width),
    )  # fmt: skip
    return Tower(dict(type='CLIPTextTransformer', arch=arch), dim, context_length=context)


def weight_of(weights: Mapping[str, Tensor], name: str, dims: int) -> Tensor:
    """Give a weight that sizes are read from.

    Raises:
        ValueError: If it is not there, or has another number of dimensions.
    """
    if name not in weights:
        raise ValueError(f'The tower lacks {name}; its {len(weights)} weights are not those of a whole tower of CLIP.')
    if weights[name].ndim != dims or 0 in weights[name].shape:
        raise ValueError(
            f'{name} of a tower has the shape {tuple(weights[name].shape)}; it must have {dims} dimensions, none of 0.'
        )
    return weights[name]


def _require(holds: bool, name: str, value: Any, what: str) -> None:
    if not holds:
        raise ValueError(f'--option {name}: every value {what}, got {value}.')


def _blocks(weights: Collection[str]) -> int:
    return _count(weights, r'transformer\.resblocks\.(\d+)\.')


def _stages(weights: Collection[str]) -> list[int]:
    """Blocks of every stage of a ModifiedResNet."""
    return [_count(weights, rf'layer{number}\.(\d+)\.') for number in (1, 2, 3, 4)]


def _count(names: Collection[str], pattern: str) -> int:
    """How many different numbers a pattern finds; they must be 0 .. n - 1."""
    numbers = {int(match[1]) for name in names if (match := re.match(pattern, name))}
    if numbers != set(range(len(numbers))) or not numbers:
        raise ValueError(f'The layers of the tower are {sorted(numbers)}; some are missing.')
    return len(numbers)


def _vision_heads(
    width: int, layers: int, patch: int, given: int | None, head_widths: Mapping[tuple[int, Any, int], int]
) -> int:
    """Heads of a vision transformer: as told, as its known namesake by sizes has, or by CLIP's rule."""
    if given is None and (width, layers, patch) in head_widths:
        return width // head_widths[width, layers, patch]
    of_this_width = {head for (known, *_), head in head_widths.items() if known == width}
    if given is None and not of_this_width <= {HEAD_WIDTH}:
        raise ValueError(
            f'The weights do not tell the number of heads, and models of a width of {width} differ in it. Give it: '
            f'--option vision_heads=N (open_clip has {width // max(of_this_width)} at this width).'
        )
    return _heads(width, given, 'vision_heads')


def _heads(width: int, given: int | None, option: str) -> int:
    if given is not None and width % given:
        raise ValueError(f'--option {option}={given}: a width of {width} is no multiple of it.')
    if given is None and width % HEAD_WIDTH:
        raise ValueError(
            f'The weights do not tell the number of heads, and a width of {width} is no multiple of {HEAD_WIDTH}, as '
            f'CLIP has it. Give it: --option {option}=N.'
        )
    return given or width // HEAD_WIDTH


def _mlp(weights: Mapping[str, Tensor], width: int) -> dict[str, float]:
    hidden = len(weight_of(weights, 'transformer.resblocks.0.mlp.c_fc.weight', 2))
    ratio = hidden / width
    if ratio == 4:
        return {}
    # The network is built with int(width * ratio), which rounding must not make one less.
    return dict(mlp_ratio=ratio if int(width * ratio) == hidden else (hidden + 0.5) / width)
