"""Weights in the layout of the public code of Han et al., BMVC 2021, and back."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from mmtbps.core.checkpoint import unwrap_weights
from mmtbps.models.clip.positions import GRID

from .names import CLIP_RESNET, WEIGHTS, listed, rename, rename_all

__all__ = ['WITHOUT_COUNTERPART', 'mmtbps_to_textreid', 'textreid_to_mmtbps']

# What follows the beginnings of names, the same there and here.
_GRU = r'gru\.weight_[ih]h_l0(_reverse)?'
_MLP = rf'[02]\.{WEIGHTS}'
# Beginnings of names there and here, and what may follow.
_NAMES = (
    ('visual_model.', 'image_stream.backbone.', CLIP_RESNET),
    ('textual_model.', 'text_stream.neck.', _GRU),
    ('embed_model.v_encoder_k.', 'key_encoders.image_stream.backbone.', CLIP_RESNET),
    ('embed_model.t_encoder_k.', 'key_encoders.text_stream.neck.', _GRU),
    ('embed_model.v_fc_q.', 'contrastive_neck.image.layers.', _MLP),
    ('embed_model.t_fc_q.', 'contrastive_neck.text.layers.', _MLP),
    ('embed_model.v_fc_k.', 'key_encoders.contrastive_neck.image.layers.', _MLP),
    ('embed_model.t_fc_k.', 'key_encoders.contrastive_neck.text.layers.', _MLP),
    ('embed_model.v_queue', 'queue.image', ''),
    ('embed_model.t_queue', 'queue.text', ''),
    ('embed_model.id_queue', 'queue.person_ids', ''),
    ('embed_model.queue_ptr', 'queue.pointer', ''),
    ('embed_model.loss_evaluator.projection', 'heads.identity.projection', ''),
)
# It calls them otherwise in its baseline and in momentum contrast.
_PROJECTIONS_OF_BASELINE = (
    ('embed_model.visual_embed_layer.', 'image_projection.linear.', WEIGHTS),
    ('embed_model.textual_embed_layer.', 'text_projection.linear.', WEIGHTS),
)
_PROJECTIONS_OF_CONTRAST = (
    ('embed_model.v_embed_layer.', 'image_projection.linear.', WEIGHTS),
    ('embed_model.t_embed_layer.', 'text_projection.linear.', WEIGHTS),
)
# Vectors of words that were learnt; those of CLIP are in a file of their own.
_LEARNT_WORDS = (
    ('textual_model.embed.', 'text_stream.backbone.table.', 'weight'),
    ('embed_model.t_encoder_k.embed.', 'key_encoders.text_stream.backbone.table.', 'weight'),
)
# The public code stores the query encoders under two names each.
_TWINS = (
    ('embed_model.v_encoder_q.', 'visual_model.', CLIP_RESNET),
    ('embed_model.t_encoder_q.', 'textual_model.', rf'{_GRU}|embed\.weight'),
)
# These have one dimension more there.
_LEADING_ONE = ('queue.person_ids', 'queue.pointer')
_TABLES = ('text_stream.backbone.table.weight', 'key_encoders.text_stream.backbone.table.weight')
_GRIDS = tuple(f'{prefix}image_stream.backbone.attnpool.{GRID}' for prefix in ('', 'key_encoders.'))
_FILL = 'queue.fill'

WITHOUT_COUNTERPART = (*_TABLES, *_GRIDS, _FILL)
"""Weights of a retriever that the public code has no place for; its fill follows from the identities."""


def textreid_to_mmtbps(state: Mapping[str, Any], word_table: Tensor | None = None) -> dict[str, Tensor]:
    """Rename the weights of the public code for :class:`~mmtbps.models.DualStreamRetriever` or ``CMMoCoRetriever``.

    Args:
        state: State dict of the public code, also in a checkpoint (:func:`~mmtbps.core.checkpoint.unwrap_weights`).
        word_table: Vectors of the words, (number of words, E), row i for the word with id i, which the public code
            keeps apart unless it learnt them. Defaults to None: the result then has no word embedding but a learnt one.

    Returns:
        State dict of a retriever whose classifier is the head ``identity``.

    Raises:
        ValueError: If names are not known, the two copies of a query weight differ, or there are two word tables.
    """
    state = unwrap_weights(state)
    twins = {name: twin for name in state if (twin := rename(name, _TWINS)) is not None}
    differing = [name for name, twin in twins.items() if twin not in state or not torch.equal(state[name], state[twin])]
    if differing:
        raise ValueError(f'these weights are not those of the query encoder of the same name: {listed(differing)}')
    names = (*_NAMES, *_PROJECTIONS_OF_BASELINE, *_PROJECTIONS_OF_CONTRAST, *_LEARNT_WORDS)
    result = rename_all({name: value for name, value in state.items() if name not in twins}, names)
    for name in result.keys() & _LEADING_ONE:
        result[name] = result[name].squeeze(0)
    if 'queue.person_ids' in result:
        result[_FILL] = (result['queue.person_ids'] != -1).sum()
    if word_table is not None:
        if _TABLES[0] in result:
            raise ValueError('the checkpoint has vectors of words that it learnt; leave the word table out')
        has_keys = any(name.startswith('key_encoders.') for name in result)
        result.update(dict.fromkeys(_TABLES if has_keys else _TABLES[:1], word_table))
    return result


def mmtbps_to_textreid(state: Mapping[str, Tensor], learnt_words: bool = False) -> dict[str, Tensor]:
    """Undo :func:`textreid_to_mmtbps`; :data:`WITHOUT_COUNTERPART` has no place there.

    A retriever without momentum keys gets the names of the public code's baseline.

    Args:
        state: State dict of a retriever.
        learnt_words: Whether the vectors of the words were learnt (one-hot words), which the public code stores with
            the weights. Defaults to False: they are CLIP's, which it keeps apart.

    Returns:
        State dict in the layout of the public code.

    Raises:
        ValueError: If names are not known.
    """
    apart = set(WITHOUT_COUNTERPART) - set(_TABLES if learnt_words else ())
    state = {name: value for name, value in state.items() if name not in apart}
    state.update({name: state[name].unsqueeze(0) for name in _LEADING_ONE if name in state})
    has_keys = any(name.startswith('key_encoders.') for name in state)
    projections = _PROJECTIONS_OF_CONTRAST if has_keys else _PROJECTIONS_OF_BASELINE
    result = rename_all(state, _reversed((*_NAMES, *projections, *_LEARNT_WORDS)))
    if has_keys:
        for name, value in list(result.items()):
            twin = rename(name, _reversed(_TWINS))
            if twin is not None:
                result[twin] = value
    return result


def name_there(name: str) -> str | None:
    """The public code's name of one of our weights; None if it has none."""
    return rename(name, _reversed((*_NAMES, *_PROJECTIONS_OF_BASELINE, *_LEARNT_WORDS)))


def _reversed(names: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    return [(here, there, rest) for there, here, rest in names]
