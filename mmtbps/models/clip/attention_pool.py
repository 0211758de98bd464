"""CLIP's attention pool, computed for the one token that is used."""

from typing import Any

import torch
from open_clip.modified_resnet import AttentionPool2d
from torch import Tensor, nn

from .positions import fit_positions, store_grid

__all__ = ['MeanTokenAttentionPool']


class MeanTokenAttentionPool(AttentionPool2d):
    """CLIP's attention pool (Radford et al. 2021) for a rectangular grid, with open_clip's names of all weights.

    Multi-head attention over the mean token and the tokens of the grid, plus positional embedding. Only the output of
    the mean token is used, so only its query is computed; and since ``q . (W_k x) = (W_k' q) . x``, and likewise for
    the values, the projections move from the many tokens to the one query: the same result with a fraction of the
    work and memory.

    Args:
        grid: Rows and columns of the map.
        embed_dim: Channels of the map.
        num_heads: Heads; a divisor of ``embed_dim``.
        output_dim: Length of the feature.
    """

    def __init__(self, grid: tuple[int, int], embed_dim: int, num_heads: int, output_dim: int) -> None:
        super().__init__(1, embed_dim, num_heads, output_dim)
        self.grid = grid
        tokens = 1 + grid[0] * grid[1]
        self.positional_embedding = nn.Parameter(torch.randn(tokens, embed_dim) / embed_dim**0.5)
        store_grid(self, grid)

    def forward(self, maps: Tensor) -> Tensor:
        """Pool maps (N, embed_dim, rows, columns) to features (N, output_dim)."""
        tokens = maps.flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1)
        tokens = tokens + self.positional_embedding.to(tokens.dtype)

        query = self.q_proj(tokens[:, 0]).unflatten(1, (self.num_heads, -1))  # (N, heads, d)
        scale = query.shape[-1] ** -0.5
        folded = torch.einsum('nhd,hdc->nhc', query, self._by_head(self.k_proj.weight))
        # The bias of the keys adds the same to all scores of a head; it stays, since DDP wants every parameter used.
        bias = (query * self._by_head(self.k_proj.bias)).sum(dim=-1, keepdim=True)
        attention = ((folded @ tokens.transpose(1, 2) + bias) * scale).softmax(dim=-1)
        mixed = attention.to(tokens.dtype) @ tokens  # (N, heads, embed_dim)
        value = torch.einsum('nhc,hdc->nhd', mixed, self._by_head(self.v_proj.weight)).flatten(1) + self.v_proj.bias
        return self.c_proj(value)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Resize positions of a square, as released weights have them; those of another rectangle are refused."""
        fit_positions(state_dict, self.grid, prefix, squares_only=True)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _by_head(self, weight: Tensor) -> Tensor:
        """Split the rows of a projection: (embed_dim, ...) to (heads, d, ...)."""
        return weight.unflatten(0, (self.num_heads, -1))
