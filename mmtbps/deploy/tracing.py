"""Equivalents of modules that trace to a graph for any batch size and length."""

import copy
from functools import singledispatch

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmtbps.models.clip import CLIPTextTransformer
from mmtbps.models.necks import BiGRUNeck, TokenSelection
from mmtbps.models.structures import TokenFeatures

__all__ = [
    'ExportableAttention',
    'ExportableBiGRU',
    'ExportableCLIPText',
    'ExportableTokenSelection',
    'exportable',
    'exportable_copy',
]


@singledispatch
def exportable(module: nn.Module) -> nn.Module:
    """Return the exportable equivalent of a module; most modules are their own.

    Register one for a module whose ``forward`` does not trace with ``exportable.register(Class)``.

    Args:
        module: Any module.

    Returns:
        A module with the same inputs, outputs and weights.
    """
    return module


def exportable_copy(module: nn.Module) -> nn.Module:
    """Copy a module with every submodule replaced by its exportable equivalent.

    Args:
        module: Any module, such as a retriever; it is not changed.

    Returns:
        The copy, on the CPU, in evaluation mode and single precision.
    """
    copied = copy.deepcopy(module).cpu().float().eval()
    return _replace(copied).eval()


def _replace(module: nn.Module) -> nn.Module:
    replaced = exportable(module)
    if replaced is module:
        for name, child in module.named_children():
            setattr(module, name, _replace(child))
    return replaced


@exportable.register(BiGRUNeck)
class ExportableBiGRU(nn.Module):
    """A :class:`~mmtbps.models.BiGRUNeck` as two unidirectional GRUs with its weights.

    Packing, which keeps padding out of the backward recurrence, cannot be exported. Here the backward GRU reads every
    caption from its last word to its first, gathered by length, so that padding comes after the words in both
    directions and is excluded from the maximum over time, which does not depend on the order of the states.

    Args:
        neck: The neck.
    """

    def __init__(self, neck: BiGRUNeck) -> None:
        super().__init__()
        both = neck.gru
        self.padding_value = neck.padding_value
        self.forwards, self.backwards = (
            nn.GRU(both.input_size, both.hidden_size, bias=False, batch_first=True) for _ in range(2)
        )
        for gru, suffix in ((self.forwards, ''), (self.backwards, '_reverse')):
            gru.weight_ih_l0 = getattr(both, f'weight_ih_l0{suffix}')
            gru.weight_hh_l0 = getattr(both, f'weight_hh_l0{suffix}')

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        """Encode words (M, L, C) of lengths (M,) as sentence features (M, 2 x hidden_size)."""
        place = torch.arange(words.shape[1], device=words.device)
        last_to_first = (lengths[:, None] - 1 - place).clamp(min=0)
        reverse = words.gather(1, last_to_first[..., None].expand(-1, -1, words.shape[2]))
        # Without an explicit initial state the exporter would fix the batch size of the example in the graph.
        start = words.new_zeros(1, words.shape[0], self.forwards.hidden_size)
        states = torch.cat([self.forwards(words, start)[0], self.backwards(reverse, start)[0]], dim=2)
        return states.masked_fill((place >= lengths[:, None])[..., None], self.padding_value).amax(dim=1)


@exportable.register(CLIPTextTransformer)
class ExportableCLIPText(nn.Module):
    """A :class:`~mmtbps.models.CLIPTextTransformer` that computes all given positions.

    The tower itself cuts the batch at its longest sentence, which cannot be traced. Positions behind the end of a
    sentence do not change its feature, since the tower is causal.

    Args:
        tower: The tower.
    """

    gives_tokens = True

    def __init__(self, tower: CLIPTextTransformer) -> None:
        super().__init__()
        self.tower = tower
        tower.transformer = _replace(tower.transformer)

    def forward(
        self, tokens: Tensor, lengths: Tensor, with_tokens: bool = False, with_attention: bool = False
    ) -> Tensor | TokenFeatures:
        """Encode token ids (M, L) of lengths (M,) as features (M, embed_dim), or all positions for necks that ask."""
        if with_tokens:
            return self.tower.forward_positions(tokens, lengths, with_attention)
        return self.tower.encode_positions(tokens, lengths)


@exportable.register(TokenSelection)
class ExportableTokenSelection(nn.Module):
    """A :class:`~mmtbps.models.TokenSelection` for any number of tokens.

    How many tokens ``topk`` selects is fixed in a graph, and must not exceed what a short caption has. Here all tokens
    are embedded, and those count to which fewer than k others are preferred.

    Args:
        neck: The neck.
    """

    needs_tokens = needs_attention = True

    def __init__(self, neck: TokenSelection) -> None:
        super().__init__()
        self.neck = neck

    def forward(self, features: TokenFeatures) -> Tensor:
        """Turn tokens (N, L, D) with the attention of the pooled one into vectors (N, D + out_channels)."""
        scores = self.neck.scores(features)
        rank = (scores[:, None, :] > scores[:, :, None]).sum(dim=2)
        chosen = (scores > float('-inf')) & (rank < self.neck.count(scores.shape[1]))
        return self.neck.join(features.pooled, self.neck.pool(features.tokens, chosen))


class ExportableAttention(nn.Module):
    """A :class:`torch.nn.MultiheadAttention` for any number of tokens.

    torch's implementation fixes the number of tokens of the example in the graph, or uses a fused kernel that ONNX
    lacks.

    Args:
        attention: The attention; batch first, with queries, keys and values of the same width.
    """

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self.num_heads = attention.num_heads
        self.in_proj_weight, self.in_proj_bias = attention.in_proj_weight, attention.in_proj_bias
        self.out_proj = attention.out_proj

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, need_weights: bool = False, attn_mask: Tensor | None = None
    ) -> tuple[Tensor, None]:
        """Attend from query (N, L, C) to key and value (N, S, C); the weights are not returned."""
        weights = self.in_proj_weight.chunk(3)
        biases = self.in_proj_bias.chunk(3) if self.in_proj_bias is not None else (None, None, None)
        query, key, value = (
            F.linear(tokens, weight, bias).unflatten(2, (self.num_heads, -1)).transpose(1, 2)
            for tokens, weight, bias in zip((query, key, value), weights, biases, strict=True)
        )
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), None


@exportable.register
def _(module: nn.MultiheadAttention) -> nn.Module:
    plain = module.batch_first and module._qkv_same_embed_dim and module.bias_k is None and not module.add_zero_attn
    return ExportableAttention(module) if plain else module
