"""Dual encoders of CLIP's towers: their weights and a config, from any of their layouts and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmtbps.models.clip.huggingface import from_huggingface, is_huggingface
from mmtbps.models.clip.positions import GRID, fit_positions

from .checks import require_fit
from .descriptions import Description, vision_head_widths
from .layouts import CLIP_LAYOUTS, IMAGE, TEXT, Layout, foreign_family, recognise
from .names import listed, rename
from .towers import Options, Tower, image_tower, sizes_of, text_tower

__all__ = ['Converted', 'evaluation', 'from_ours', 'layout_named', 'to_ours']

_BUFFERS = tuple(f'{prefix}{name}' for prefix in (IMAGE, f'{IMAGE}attnpool.', TEXT) for name in (GRID, 'quick_gelu'))


@dataclass(frozen=True)
class Converted:
    """A converted checkpoint.

    Args:
        weights: Weights of a retriever.
        config: Config for evaluating and searching with it.
        layout: Name of the layout that it had.
        left_out: Names of its weights that retrieval does not need.
    """

    weights: dict[str, Tensor]
    config: dict[str, Any]
    layout: str
    left_out: list[str]


def layout_named(name: str) -> Layout:
    """Find a layout by its name.

    Raises:
        ValueError: If there is none.
    """
    for layout in CLIP_LAYOUTS:
        if layout.name == name:
            return layout
    known = ', '.join(layout.name for layout in CLIP_LAYOUTS)
    raise ValueError(f'There is no layout {name!r}; known are {known} and textreid.')


def to_ours(
    weights: Mapping[str, Tensor],
    options: Options,
    layout: Layout | None = None,
    descriptions: Sequence[Description] = (),
) -> Converted:
    """Convert the weights of a dual encoder of CLIP's towers.

    Args:
        weights: Its weights by name, without wrappers.
        options: What the weights do not tell.
        layout: Their layout. Defaults to None: it is recognised by the names.
        descriptions: What is known of the model beside its weights, the surest first. Defaults to none.

    Returns:
        Weights, config and what was left out.

    Raises:
        ValueError: If the layout is unknown or another family's, a name has no counterpart, a tower is not whole, the
            sizes cannot be told or are not those of a description, or weights are no finite numbers.
    """
    from_hub = is_huggingface(weights)
    if layout is None and (family := foreign_family(weights)):
        raise ValueError(f'{family[0].upper()}{family[1:]}.')
    if from_hub:
        weights = from_huggingface(weights)
    layout = layout or recognise(weights)
    if layout is None:
        raise ValueError(
            f'The layout of these weights is not known; their names are such as {listed(weights, 4)}. Known are '
            + '; '.join(f'{layout.name}: {layout.of}' for layout in CLIP_LAYOUTS)
            + '; textreid: Han et al., BMVC 2021.'
        )
    renamed, left_out = layout.names.to_ours(weights)
    towers = _tower(renamed, IMAGE), _tower(renamed, TEXT)
    for description in descriptions:
        description.require(sizes_of(*towers))
        options = description.complete(options)
    image = image_tower(towers[0], options, layout.released, vision_head_widths())
    text = text_tower(towers[1], options)
    if image.dim != text.dim:
        raise ValueError(f'The towers do not belong together: features of {image.dim} and of {text.dim} numbers.')
    quick = _activation(options, layout, weights, from_hub, descriptions)
    _add_buffers(renamed, image, quick)
    config = _config(layout, options, image, text, quick, renamed)
    pairs = [(here, there, rest) for there, here, rest in layout.names.pairs]
    require_fit(renamed, config['model'], lambda name: rename(name, pairs) or name)
    return Converted(renamed, config, layout.name, left_out)


def from_ours(weights: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """Undo :func:`to_ours`: the weights that retrieval needs, by the names of a layout.

    Args:
        weights: Weights of a retriever.
        layout: The layout.

    Raises:
        ValueError: If a weight of the encoders has no counterpart there, the layout needs others, or its readers would
            compute another activation.
    """
    _require_activation(weights, layout)
    necks = [f'{stream}.neck.' for stream in ('image_stream', 'text_stream')]
    if layout.selects_tokens and not all(any(name.startswith(neck) for name in weights) for neck in necks):
        raise ValueError(
            f'The layout {layout.name} has a token selection on both towers, and this model has no '
            f'{" and ".join(necks)}*; write it in the layout irra.'
        )
    parts = ('image_stream.', 'text_stream.', 'image_projection.', 'text_projection.')
    kept = {name: value for name, value in weights.items() if name.startswith(parts) and name not in _BUFFERS}
    renamed = layout.names.to_theirs(kept)
    sizes_of(_tower(kept, IMAGE), _tower(kept, TEXT))  # refuses what is not whole
    return renamed


def _require_activation(weights: Mapping[str, Tensor], layout: Layout) -> None:
    """Refuse plain GELU for authors' layouts, whose weights do not tell the activation and whose code has QuickGELU."""
    plain = [prefix + '*' for prefix in (IMAGE, TEXT) if not weights.get(f'{prefix}quick_gelu', True)]
    if plain and not layout.released:
        raise ValueError(
            f'What reads the layout {layout.name} computes QuickGELU, and this model was trained with GELU '
            f'({" and ".join(plain)}): its features would be others there. Train both towers with quick_gelu=True.'
        )


def _tower(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def _activation(
    options: Options,
    layout: Layout,
    weights: Mapping[str, Tensor],
    from_hub: bool,
    descriptions: Sequence[Description],
) -> bool:
    """Whether the activation is QuickGELU: everything that stems from OpenAI's weights has it."""
    if options.quick_gelu is not None:
        return options.quick_gelu
    if not layout.released or 'input_resolution' in weights:
        return True
    told = [description.quick_gelu for description in descriptions if description.quick_gelu is not None]
    if told:
        return told[0]
    raise ValueError(
        'The weights do not tell their activation'
        + (', and there is no config.json beside them, which does; fetch it, or give it' if from_hub else '. Give it')
        + ': --option quick_gelu=true for those of OpenAI, MetaCLIP and DFN, quick_gelu=false for those that open_clip '
        'trained (LAION).'
    )


def _add_buffers(weights: dict[str, Tensor], image: Tower, quick: bool) -> None:
    """Resize the positions and add what the towers store beside weights, in place."""
    is_vit = image.config['type'] == 'CLIPViT'
    prefix = IMAGE if is_vit else f'{IMAGE}attnpool.'
    weights[prefix + GRID] = torch.tensor(image.own_grid)
    fit_positions(weights, grid_of(image.config), prefix, released=True)
    if is_vit:
        weights[f'{IMAGE}quick_gelu'] = torch.tensor(int(quick))
    weights[f'{TEXT}quick_gelu'] = torch.tensor(int(quick))


def grid_of(config: Mapping[str, Any]) -> tuple[int, int]:
    """Rows and columns of an image tower's positions."""
    height, width = config['input_size']
    if config['type'] == 'CLIPResNet':
        return height // 32, width // 32
    patch = config['arch']['patch_size']
    stride = config.get('stride', patch)
    return (height - patch) // stride + 1, (width - patch) // stride + 1


def _config(
    layout: Layout, options: Options, image: Tower, text: Tower, quick: bool, weights: Mapping[str, Tensor]
) -> dict[str, Any]:
    """Config of the model, and of an evaluation with the authors' preprocessing."""
    own = layout.preprocessing
    if image.config['type'] == 'CLIPViT':
        image.config['quick_gelu'] = quick
    text.config['quick_gelu'] = quick
    streams = [dict(type='ImageStream', backbone=image.config), dict(type='TextStream', backbone=text.config)]
    if layout.selects_tokens:
        for stream, modality in zip(streams, ('image', 'text'), strict=True):
            stream['neck'] = _selection(weights, modality, text.context_length)
    scale = [255.0 * value for value in own.mean], [255.0 * value for value in own.std]
    mean, std = (list(given or value) for given, value in zip((options.mean, options.std), scale, strict=True))
    height, width = image.input_size or (0, 0)
    tokenizer: dict[str, Any] = dict(type='CLIPTokenizer', context_length=text.context_length)
    if own.cleaning:
        tokenizer['cleaning'] = own.cleaning
    pipeline = [
        dict(type='LoadPersonImage'),
        dict(
            type='Resize', scale=(width, height), backend='pillow',
            interpolation=options.interpolation or own.interpolation,
        ),
        dict(type='TokenizeCaption'),
        dict(type='PackTBPSInputs'),
    ]  # fmt: skip
    return dict(
        default_scope='mmtbps',
        model=dict(
            type='DualStreamRetriever',
            data_preprocessor=dict(type='TBPSDataPreprocessor', mean=mean, std=std),
            image_stream=streams[0],
            text_stream=streams[1],
            image_projection=None,
            text_projection=None,
            heads=dict(),
        ),
        **evaluation(
            dict(
                type='PersonCaptions', data_root='data/mine', ann_file='captions.csv', split='test', test_mode=True,
                tokenizer=tokenizer, pipeline=pipeline,
            )
        ),
    )  # fmt: skip


def evaluation(dataset: dict[str, Any], batch_size: int = 64) -> dict[str, Any]:
    """The parts of a config that evaluate on a data set."""
    return dict(
        test_dataloader=dict(
            batch_size=batch_size,
            num_workers=2,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
            dataset=dataset,
        ),
        test_evaluator=dict(type='TBPSMetric'),
        test_cfg=dict(type='TestLoop'),
    )


def _selection(weights: Mapping[str, Tensor], modality: str, context_length: int) -> dict[str, Any]:
    """Config of a tower's token selection, its sizes from the tensors."""
    prefix = f'{modality}_stream.neck.'
    wanted = [f'{prefix}{name}' for name in ('linear.weight', 'mlp.layers.0.weight')]
    missing = [name for name in wanted if name not in weights]
    if missing:
        raise ValueError(f'The token selection of the {modality}s is not whole: it has no {", ".join(missing)}.')
    (out_channels, in_channels), hidden = weights[wanted[0]].shape, weights[wanted[1]].shape[0]
    neck = dict(type='TokenSelection', in_channels=in_channels, out_channels=out_channels, hidden_channels=hidden)
    return dict(neck, context_length=context_length) if modality == 'text' else neck
