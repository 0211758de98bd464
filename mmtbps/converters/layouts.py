"""The layouts of CLIP's dual encoders: names of their weights, and what their authors do to images and captions."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from .names import BLOCKS, CLIP_RESNET, CLIP_TEXT, CLIP_VIT, NORM, WEIGHTS, Names

__all__ = ['CLIP_LAYOUTS', 'IMAGE', 'TEXT', 'Layout', 'Preprocessing', 'foreign_family', 'recognise']

IMAGE, TEXT = 'image_stream.backbone.', 'text_stream.backbone.'
"""Beginnings of our names of the towers."""

_CLIP_MEAN, _CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """What the authors do to images and captions.

    Args:
        mean: Mean of the channels RGB, on the scale 0 .. 1.
        std: Their standard deviation.
        interpolation: Pillow's resizing.
        cleaning: The caption cleaning of :class:`~mmtbps.datasets.CLIPTokenizer`. Defaults to None: none.
    """

    mean: tuple[float, float, float] = _CLIP_MEAN
    std: tuple[float, float, float] = _CLIP_STD
    interpolation: str = 'bilinear'
    cleaning: str | None = None


@dataclass(frozen=True)
class Layout:
    """A layout of checkpoints.

    Args:
        name: What ``--layout`` calls it.
        of: The models that have it, for messages.
        mark: A regular expression that one of its names meets and no name of the layouts after it.
        names: Its names and ours.
        preprocessing: What the authors do to images and captions.
        released: Whether these are released CLIP weights, whose positions are resized to the input. Defaults to False.
        selects_tokens: Whether both towers have a layer of token selection. Defaults to False.
    """

    name: str
    of: str
    mark: str
    names: Names
    preprocessing: Preprocessing = field(default=Preprocessing())
    released: bool = False
    selects_tokens: bool = False


_TOWERS_OF_IRRA = (('base_model.visual.', IMAGE, CLIP_VIT), ('base_model.', TEXT, CLIP_TEXT))
_HEADS_OF_IRRA = (
    r'base_model\.logit_scale',
    rf'classifier\.{WEIGHTS}',
    rf'cross_attn\.(in_proj_{WEIGHTS}|out_proj\.{WEIGHTS})',
    rf'cross_modal_transformer\.{BLOCKS}',
    rf'ln_(pre_[ti]|post)\.{WEIGHTS}',
    rf'mlm_head\.(dense|ln|fc)\.{WEIGHTS}',
)
_CLIP_SIZES = (r'input_resolution|context_length|vocab_size|logit_scale|logit_bias|(text\.)?attn_mask',)
_SELECTION = rf'mlp\.layers\.[01]\.{WEIGHTS}|mlp\.bns\.0\.{NORM}'

CLIP_LAYOUTS: tuple[Layout, ...] = (
    Layout(
        'rde',
        'RDE (Qin et al., CVPR 2024)',
        r'(visul|texual)_emb_layer\..*',
        Names(
            (
                *_TOWERS_OF_IRRA,
                ('visul_emb_layer.fc.', 'image_stream.neck.linear.', WEIGHTS),
                ('visul_emb_layer.', 'image_stream.neck.', _SELECTION),
                ('texual_emb_layer.linear.', 'text_stream.neck.linear.', WEIGHTS),
                ('texual_emb_layer.', 'text_stream.neck.', _SELECTION),
            ),
            # The public code makes layers that it never uses.
            (
                *_HEADS_OF_IRRA,
                rf'visul_emb_layer\.linear\.{WEIGHTS}',
                rf'(visul|texual)_emb_layer\.mlp\.bns\.1\.{NORM}',
            ),
        ),
        selects_tokens=True,
    ),
    Layout(
        'irra',
        'IRRA (Jiang & Ye, CVPR 2023), NAM, HAM, GA-DMS and others of its code base',
        r'base_model\..*',
        Names(_TOWERS_OF_IRRA, _HEADS_OF_IRRA),
    ),
    Layout(
        'tbps-clip',
        'TBPS-CLIP (Cao et al., AAAI 2024)',
        r'encode_text\..*',
        Names(
            (('visual.', IMAGE, CLIP_VIT), ('encode_text.', TEXT, CLIP_TEXT)),
            (
                r'logit_scale',
                rf'simclr_mlp\.[02]\.{WEIGHTS}',
                rf'(classifier|mlm_head\.(dense|ln|fc)|ln_(pre_[ti]|post))\.{WEIGHTS}',
                rf'cross_attn\.(in_proj_{WEIGHTS}|out_proj\.{WEIGHTS})',
                rf'cross_modal_transformer\.{BLOCKS}',
            ),
        ),
        Preprocessing(_IMAGENET_MEAN, _IMAGENET_STD, 'bicubic', 'tbps-clip'),
    ),
    Layout(
        'clip',
        'a whole CLIP model of OpenAI or open_clip',
        r'visual\.(conv1\.weight|proj|positional_embedding|attnpool\..*)',
        Names(
            (
                ('visual.', IMAGE, f'{CLIP_VIT}|{CLIP_RESNET}'),
                ('', TEXT, CLIP_TEXT),
                ('text.', TEXT, CLIP_TEXT),
            ),
            _CLIP_SIZES,
        ),
        Preprocessing(interpolation='bicubic'),
        released=True,
    ),
)
"""In the order in which they are recognised: a later mark may be met by an earlier layout's names too."""

_PLAIN = "take a model with CLIP's own towers"
_FOREIGN = (
    (
        r'(image|text)_stream\..*',
        'a retriever of mmtbps itself',
        'it needs no conversion: name it and its config as they are, or write it in a layout of others with --reverse',
    ),
    (
        r'.*lora_[AB]\..*|.*\.lora_.*',
        'LoRA adapters',
        'merge them into the model that they belong to, and convert that',
    ),
    (
        r'(model\.)?(vision_tower|mm_projector|multi_modal_projector|language_model)\..*',
        'a model that writes text about images, such as LLaVA',
        'it has no vectors to search with; ' + _PLAIN,
    ),
    (r'text_decoder\..*|visual\.attn_pool\..*', 'CoCa', _PLAIN),
    (
        r'(visual_encoder|text_encoder|vision_encoder|itm_head|fusion_encoder)\..*',
        'a cross encoder such as ALBEF, X-VLM, RaSa or APTM',
        'it scores a sentence and an image together and has no vector for an image, so that no gallery can be searched',
    ),
    (r'(visual\.trunk|vision_model\.head).*', 'SigLIP, or a CLIP model with a tower of timm', _PLAIN),
    (r'visual\.(blocks|rope|patch_embed)\..*', 'EVA-CLIP', _PLAIN),
    (
        r'(\w+\.)?embeddings\.(cls_token|mask_token|patch_embeddings\..*)|.*\.(layer_scale1|ls1)\..*|(cls|mask)_token',
        'a vision transformer without text, such as DINOv2',
        'it has no text tower; name it in init_cfg of an image backbone instead',
    ),
    (
        r'blocks\.\d+\.attn\.qkv\.weight|patch_embed\.proj\.weight|layers\.\d+\.blocks\..*',
        'an image backbone of timm',
        'it has no text tower; name it in init_cfg of an image backbone instead',
    ),
    (r'(bert|textual\.bert|text_model\.bert|encoder\.layer)\..*', 'a model with a BERT text tower', _PLAIN),
)
"""A mark, whose it is, and what to do."""


def recognise(names: Collection[str]) -> Layout | None:
    """Tell the layout of a dual encoder of CLIP by the names of its weights; None if it is none."""
    for layout in CLIP_LAYOUTS:
        if any(re.fullmatch(layout.mark, name) for name in names):
            return layout
    return None


def foreign_family(names: Collection[str]) -> str | None:
    """Name the family of weights that are known and not for us, and what to do instead; None if they are unknown."""
    for mark, family, advice in _FOREIGN:
        if any(re.fullmatch(mark, name) for name in names):
            return f'these are weights of {family}; {advice}'
    towers = [tower for tower in ('vision_model', 'text_model') if any(name.startswith(f'{tower}.') for name in names)]
    if len(towers) == 1:
        return f"these are weights of one tower of transformers' CLIP, {towers[0]}; take those of the whole CLIPModel"
    return None
