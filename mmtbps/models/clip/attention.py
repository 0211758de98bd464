"""One row of a transformer block's attention, beside the fused attention that computes the features."""

import torch
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor

from mmtbps.core.precision import promote

__all__ = ['attention_row']


def attention_row(block: ResidualAttentionBlock, features: Tensor, rows: Tensor, mask: Tensor) -> Tensor:
    """Compute how one position of each item attends to all others in a block.

    Fused attention returns no weights. Only one query of each item is needed here, and since
    ``q . (W_k x) = (W_k' q) . x``, the projection of the keys moves from the many positions to that query: a small
    fraction of the block's work.

    Args:
        block: A block of open_clip's transformers.
        features: Input of the block, (N, L, C).
        rows: The position of each item that attends, (N,), on the device of the features.
        mask: Which positions it may attend to, bool, (N, L).

    Returns:
        Softmax over the positions, mean of the heads, (N, L), at least single precision.
    """
    attention = block.attn
    width = features.shape[-1]
    normed = block.ln_1(features)
    query_weight, key_weight, _ = attention.in_proj_weight.split(width)
    query_bias, key_bias, _ = attention.in_proj_bias.split(width)
    query = normed[torch.arange(rows.shape[0], device=rows.device), rows] @ query_weight.t() + query_bias
    query = query.unflatten(1, (attention.num_heads, -1))  # (N, heads, d)
    folded = torch.einsum('nhd,hdc->nhc', query, key_weight.unflatten(0, (attention.num_heads, -1)))
    bias = (query * key_bias.unflatten(0, (attention.num_heads, -1))).sum(dim=-1, keepdim=True)
    scores = (folded @ normed.transpose(1, 2) + bias) * query.shape[-1] ** -0.5  # (N, heads, L)
    scores = promote(scores).masked_fill(~mask[:, None], float('-inf'))
    return scores.softmax(dim=-1).mean(dim=1)
