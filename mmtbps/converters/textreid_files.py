"""Checkpoints of the public code of Han et al., BMVC 2021, with the config and the words that go with them."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmtbps.core.checkpoint import reason_of
from mmtbps.datasets import WordTokenizer

from .checks import require_fit
from .clip_dual import Converted, evaluation
from .reading import load_plain
from .textreid import name_there, textreid_to_mmtbps
from .towers import weight_of

__all__ = ['TEXTREID', 'convert_textreid', 'describe_data', 'has_table', 'is_textreid', 'load_table']

TEXTREID = 'textreid'
"""Name of the layout."""

_IMAGE, _TEXT = 'image_stream.backbone.', 'text_stream.'
_TABLE = f'{_TEXT}backbone.table.weight'
_IMAGENET = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
_CLIP = dict(mean=[122.771, 116.746, 104.094], std=[68.501, 66.632, 70.323])
_DEPTHS = {(3, 4, 6, 3): 50, (3, 4, 23, 3): 101, (3, 8, 36, 3): 152}
_TABLE_FORM = 'Give vectors of words, .npy or one tensor in .pth: floating-point numbers, a row for each word.'
_MOST_WORDS = 105
"""Where the public code cuts captions."""


def convert_textreid(
    weights: Mapping[str, Any], word_table: Tensor | None = None, heads: int | None = None
) -> Converted:
    """Convert the weights of a checkpoint of the public code, of its baseline or of CM-MoCo.

    The config beside them is for evaluating and searching: both streams with the authors' preprocessing (Pillow's
    bilinear resizing) and padding.

    Args:
        weights: Weights by the public code's names.
        word_table: Vectors of the words, if they were not learnt; see :func:`textreid_to_mmtbps`.
        heads: Heads of CLIP's attention pool. Defaults to None: one for 64 channels, as CLIP has.

    Returns:
        All weights, those of heads, keys and queues included, and the config.

    Raises:
        ValueError: If names are not known or the networks are others than the public code's.
    """
    state = textreid_to_mmtbps(weights, word_table)
    backbone, neck = _image_stream(state, heads)
    height, width = backbone.get('input_size', (384, 128))
    pipeline = [
        dict(type='LoadPersonImage'),
        dict(type='Resize', scale=(width, height), backend='pillow', interpolation='bilinear'),
        dict(type='TokenizeCaption'),
        dict(type='PackTBPSInputs'),
    ]
    config = dict(
        default_scope='mmtbps',
        model=dict(
            type='DualStreamRetriever',
            data_preprocessor=dict(type='TBPSDataPreprocessor', **(_IMAGENET if neck else _CLIP)),
            image_stream=dict(type='ImageStream', backbone=backbone, neck=neck),
            text_stream=_text_stream(state, word_table is not None),
            image_projection=_projection(state, 'image'),
            text_projection=_projection(state, 'text'),
            heads=dict(),
        ),
        default_hooks=dict(dataset_meta=dict(type='DatasetMetaHook')),  # brings the words of the checkpoint
        **evaluation(
            dict(
                type='CUHKPEDES', data_root='data/cuhk_pedes', split='test', test_mode=True,
                tokenizer=dict(type='WordTokenizer', max_length=_MOST_WORDS), pipeline=pipeline,
            ),
            batch_size=128,
        ),
    )  # fmt: skip
    _require_fit(state, config['model'])
    return Converted(state, config, TEXTREID, [])


def _require_fit(state: Mapping[str, Tensor], model: dict[str, Any]) -> None:
    """Refuse what the network of the config cannot have; without a word table it is looked at but for the words."""
    if not has_table(state):
        text = model['text_stream']
        channels = text['neck']['in_channels']
        state = {**state, _TABLE: torch.zeros(1, channels)}
        model = dict(model, text_stream=dict(text, backbone=dict(text['backbone'], vocab_size=1)))
    require_fit(state, model, lambda name: name_there(name) or name, device='cpu')  # MMPretrain's networks need one


def has_table(names: Collection[str]) -> bool:
    """Whether vectors of words are among the weights of a retriever."""
    return _TABLE in names


def is_textreid(names: Iterable[str]) -> bool:
    """Whether these are names of the public code."""
    return any(name.startswith(('embed_model.', 'textual_model.', 'visual_model.')) for name in names)


def describe_data(path: str | Path, state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Make the ``dataset_meta`` of a checkpoint from the words of its rows.

    The public code names no identities; its classes are taken for them, so that their number is known.

    Args:
        path: The word of every row, one a line: ``<pad>``, ``<unk>``, then the words.
        state: Weights of the retriever.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no text, or the words are no vocabulary, or not as many as rows.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'There is no file {path}.')
    try:
        words = Path(path).read_text(encoding='utf-8').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(
            f'{path} is no text in UTF-8; give a text file with the word of every row, one a line.'
        ) from error
    try:
        meta: dict[str, Any] = {'vocabulary': WordTokenizer(vocabulary=words).vocabulary}
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    table = state.get(_TABLE)
    if table is not None and len(table) != len(words):
        raise ValueError(f'{path} has {len(words)} words, but the word table {len(table)} rows; give a word for each.')
    if 'heads.identity.projection' in state:
        meta['person_ids'] = list(range(state['heads.identity.projection'].shape[1]))
    return meta


def load_table(path: str | Path) -> Tensor:
    """Load vectors of words, ``.npy`` or one tensor in ``.pth``; nothing is unpickled but a tensor.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or holds something else.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'There is no file {path}.')
    try:
        table = _load_array(Path(path))
    except Exception as error:  # readers raise errors of many kinds on damaged files
        reason = reason_of(error) if str(error) else 'it is empty or damaged'
        raise ValueError(f'{path} cannot be read: {reason}. {_TABLE_FORM}') from error
    if table.ndim != 2 or not table.is_floating_point() or not len(table):
        kind = str(table.dtype).removeprefix('torch.')
        raise ValueError(f'{path} holds {kind} numbers of the shape {tuple(table.shape)}. {_TABLE_FORM}')
    return table.float() if table.dtype in (torch.float16, torch.bfloat16) else table


def _load_array(path: Path) -> Tensor:
    if path.suffix == '.npy':
        return torch.from_numpy(np.load(path, allow_pickle=False))
    table = load_plain(path)
    if not isinstance(table, Tensor):
        raise ValueError(f'it holds a {type(table).__name__}, not one tensor of word vectors')
    return table


def _image_stream(state: Mapping[str, Tensor], heads: int | None) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Backbone and neck: CLIP's ResNet with its attention pool, or ImageNet's with average pooling."""
    blocks = [
        len({name.split('.')[3] for name in state if name.startswith(f'{_IMAGE}layer{number}.')})
        for number in (1, 2, 3, 4)
    ]
    wanted = (f'{_IMAGE}conv1.weight', f'{_IMAGE}layer1.0.conv1.weight')
    if not all(blocks) or any(name not in state for name in wanted):
        raise ValueError('The image stream is not whole: it has no stem, or lacks one of four layers.')
    stem, width = weight_of(state, wanted[0], 4), len(weight_of(state, wanted[1], 4))
    positions = state.get(f'{_IMAGE}attnpool.positional_embedding')
    if positions is None:
        if heads is not None:
            raise ValueError("--option vision_heads: ImageNet's ResNet has no attention pool; leave it out.")
        depth = _DEPTHS.get((blocks[0], blocks[1], blocks[2], blocks[3]))
        if depth is None:
            raise ValueError(f'No ResNet of ImageNet has {blocks} blocks; known are {list(_DEPTHS)}.')
        backbone = dict(type='ResNet', depth=depth, strides=(1, 2, 2, 1), out_indices=(3,))
        if width != 64:
            backbone.update(stem_channels=len(stem), base_channels=width)
        return backbone, dict(type='GlobalAveragePooling')
    positions = weight_of(state, f'{_IMAGE}attnpool.positional_embedding', 2)
    columns = round(((len(positions) - 1) / 3) ** 0.5)
    rows = (len(positions) - 1) // max(columns, 1)
    if rows * columns != len(positions) - 1:
        raise ValueError(f'The attention pool has {len(positions)} positions, which are no grid of 3 to 1.')
    backbone = dict(
        type='CLIPResNet', layers=tuple(blocks), width=width, input_size=(16 * rows, 16 * columns),
        output_dim=len(weight_of(state, f'{_IMAGE}attnpool.c_proj.weight', 2)),
    )  # fmt: skip
    return backbone if heads is None else dict(backbone, heads=heads), None


def _blocks(state: Mapping[str, Tensor], prefix: str) -> int:
    return len({name.removeprefix(prefix).partition('.')[0] for name in state if name.startswith(prefix)})


def _text_stream(state: Mapping[str, Tensor], frozen: bool) -> dict[str, Any]:
    rows = state.get(f'{_TEXT}neck.gru.weight_ih_l0')
    if rows is None:
        raise ValueError('The text stream is not whole: it has no GRU.')
    rows = weight_of(state, f'{_TEXT}neck.gru.weight_ih_l0', 2)
    hidden, channels = len(rows) // 3, rows.shape[1]
    words = None
    if has_table(state):
        words, length = weight_of(state, _TABLE, 2).shape
        if length != channels:
            raise ValueError(
                f'The word table has vectors of {length} numbers, but the text stream reads {channels}: it belongs to '
                'another checkpoint.'
            )
    return dict(
        type='TextStream',
        backbone=dict(type='WordEmbedding', vocab_size=words, embed_dims=channels, frozen=frozen),
        neck=dict(type='BiGRUNeck', in_channels=channels, hidden_size=hidden, legacy_padding=True),
    )


def _projection(state: Mapping[str, Tensor], modality: str) -> dict[str, Any]:
    name = f'{modality}_projection.linear.weight'
    if name not in state:
        raise ValueError(f'There is no projection of the {modality}s.')
    out_channels, in_channels = weight_of(state, name, 2).shape
    return dict(type='LinearProjection', in_channels=in_channels, out_channels=out_channels)
