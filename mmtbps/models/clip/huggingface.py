"""CLIP in the names of the transformers library, which map to OpenAI's one to one."""

import re
from collections.abc import Collection, Mapping

import torch
from torch import Tensor

__all__ = ['from_huggingface', 'is_huggingface']

_MARK = re.compile(r'text_model\.encoder\.layers\.0\.self_attn\.q_proj\.weight')
_RENAMED = (
    (r'vision_model\.embeddings\.class_embedding', r'visual.class_embedding'),
    (r'vision_model\.embeddings\.patch_embedding\.weight', r'visual.conv1.weight'),
    (r'vision_model\.embeddings\.position_embedding\.weight', r'visual.positional_embedding'),
    (r'vision_model\.pre_layrnorm\.(.*)', r'visual.ln_pre.\1'),  # spelt so there
    (r'vision_model\.post_layernorm\.(.*)', r'visual.ln_post.\1'),
    (r'text_model\.embeddings\.token_embedding\.weight', r'token_embedding.weight'),
    (r'text_model\.embeddings\.position_embedding\.weight', r'positional_embedding'),
    (r'text_model\.final_layer_norm\.(.*)', r'ln_final.\1'),
)
_OF_BLOCKS = (
    (r'self_attn\.out_proj\.(.*)', r'attn.out_proj.\1'),
    (r'layer_norm([12])\.(.*)', r'ln_\1.\2'),
    (r'mlp\.fc1\.(.*)', r'mlp.c_fc.\1'),
    (r'mlp\.fc2\.(.*)', r'mlp.c_proj.\1'),
)
_BLOCK = re.compile(r'(vision|text)_model\.encoder\.layers\.(\d+)\.(.*)')
_PART = re.compile(r'self_attn\.([qkv])_proj\.(weight|bias)')


def is_huggingface(names: Collection[str]) -> bool:
    """Whether these are the names of transformers' CLIPModel."""
    return any(_MARK.fullmatch(name) for name in names)


def from_huggingface(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of transformers' CLIPModel for OpenAI's layout; names that it does not know stay.

    Args:
        weights: Its state dict.

    Returns:
        The same weights; the projections of queries, keys and values are one.

    Raises:
        ValueError: If one of the three is missing.
    """
    found: dict[str, Tensor] = {}
    parts: dict[str, dict[str, Tensor]] = {}
    for name, value in weights.items():
        if name.endswith('.position_ids'):
            continue  # the numbers 0, 1, 2, ...
        if name in ('visual_projection.weight', 'text_projection.weight'):
            found['visual.proj' if name[0] == 'v' else 'text_projection'] = value.t()
            continue
        block = _BLOCK.fullmatch(name)
        if block is None:
            found[_renamed(name, _RENAMED)] = value
            continue
        prefix = f'{"visual." if block[1] == "vision" else ""}transformer.resblocks.{block[2]}.'
        part = _PART.fullmatch(block[3])
        if part is None:
            found[prefix + _renamed(block[3], _OF_BLOCKS)] = value
        else:
            parts.setdefault(f'{prefix}attn.in_proj_{part[2]}', {})[part[1]] = value
    for name, three in parts.items():
        if set(three) != set('qkv'):
            raise ValueError(f'Of the attention {name} only {sorted(three)} are there, not q, k and v.')
        found[name] = torch.cat([three[letter] for letter in 'qkv'])
    return found


def _renamed(name: str, patterns: tuple[tuple[str, str], ...]) -> str:
    for pattern, new in patterns:
        if match := re.fullmatch(pattern, name):
            return match.expand(new)
    return name
