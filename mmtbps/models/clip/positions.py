"""Positional embeddings for images of another size."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from mmtbps.core.precision import promote

__all__ = ['resize_positional_embedding']


def resize_positional_embedding(embedding: Tensor, grid: tuple[int, int]) -> Tensor:
    """Resize a square positional embedding to another grid, bilinearly (``align_corners=False``).

    Args:
        embedding: (1 + S * S, C): the row of the class (or mean) token, then the S x S grid row by row.
        grid: Rows and columns of the new grid.

    Returns:
        (1 + rows * columns, C); the first row is copied.

    Raises:
        ValueError: If the embedding is not that of a square grid.
    """
    side = math.isqrt(len(embedding) - 1)
    if side * side != len(embedding) - 1:
        raise ValueError(
            f'a positional embedding of {len(embedding)} rows is not one row plus a square grid; '
            'build the backbone with the input_size that these weights were trained with'
        )
    token, old = embedding[:1], promote(embedding[1:])
    maps = old.t().reshape(1, -1, side, side)
    resized = F.interpolate(maps, size=grid, mode='bilinear', align_corners=False)
    return torch.cat([token, resized.flatten(2).squeeze(0).t().to(token.dtype)])
