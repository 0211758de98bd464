"""Positional embeddings for images of another size, and the grids that they belong to."""

import math
import warnings
from collections.abc import MutableMapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmtbps.core.precision import promote

__all__ = ['GRID', 'fit_positions', 'resize_positional_embedding', 'store_grid']

GRID = 'positional_grid'
"""Name of the buffer with rows and columns that stands beside ``positional_embedding`` in a checkpoint."""


def resize_positional_embedding(
    embedding: Tensor,
    grid: tuple[int, int],
    old: tuple[int, ...] | None = None,
    name: str = 'positional_embedding',
) -> Tensor:
    """Resize a positional embedding to another grid, bilinearly (``align_corners=False``).

    Args:
        embedding: (1 + R * C, D): the row of the class (or mean) token, then the grid row by row.
        grid: Rows and columns of the new grid.
        old: R and C. Defaults to None: a square, as released CLIP weights have.
        name: Its name, for messages.

    Returns:
        (1 + rows * columns, D); the first row is copied.

    Raises:
        ValueError: If the embedding is not of the old grid.
    """
    count = len(embedding) - 1
    rows, columns = old or (math.isqrt(count), math.isqrt(count))
    if rows * columns != count:
        raise ValueError(
            f'{name} has {1 + count} rows, which is not one plus '
            + (f'a grid of {rows} x {columns}' if rows != columns else 'a square grid')
            + '; build the backbone with the input_size that these weights were trained with'
        )
    if (rows, columns) == tuple(grid):
        return embedding
    token, places = embedding[:1], promote(embedding[1:])
    maps = places.t().reshape(1, -1, rows, columns)
    resized = F.interpolate(maps, size=tuple(grid), mode='bilinear', align_corners=False)
    return torch.cat([token, resized.flatten(2).squeeze(0).t().to(token.dtype)])


def store_grid(module: nn.Module, grid: tuple[int, int]) -> None:
    """Let a module with a ``positional_embedding`` carry rows and columns in its checkpoints."""
    module.register_buffer(GRID, torch.tensor(grid))


def fit_positions(
    weights: MutableMapping[str, Any],
    grid: tuple[int, int],
    prefix: str = '',
    released: bool = False,
    squares_only: bool = False,
) -> tuple[int, int] | None:
    """Resize the positional embedding among weights to a module's grid, in place.

    Checkpoints of this library carry their grid, so that a rectangle is resized to a rectangle. Weights without a grid
    are those of a square if the number of places is a square. Any others are taken as they stand, with a warning, if
    the module has as many places, and refused if it has not.

    Args:
        weights: Weights by name; without positions they are left alone.
        grid: Rows and columns of the module.
        prefix: What the module's names begin with. Defaults to ''.
        released: Whether these are released CLIP weights, which are squares unless they say otherwise, and never taken
            as they stand. Defaults to False.
        squares_only: Whether to resize squares alone, as plain loading does, which is how weights for any use come in.
            Another rectangle is that of a model trained for another input, and only a new training may change it.
            Defaults to False.

    Returns:
        Rows and columns that the embedding had, or None if there is none.

    Raises:
        ValueError: If the grid is not known, is not that of the embedding, or is another rectangle where it must not.
    """
    name, grid_name = f'{prefix}positional_embedding', f'{prefix}{GRID}'
    if name not in weights:
        return None
    count = len(weights[name]) - 1
    side = math.isqrt(count)
    rows, columns = weights[grid_name].tolist() if grid_name in weights else (side, side)
    if grid_name not in weights and not released and side**2 != count == grid[0] * grid[1]:
        rows, columns = grid
        warnings.warn(
            f'{name} comes without its grid; its {count} places are taken for {rows} x {columns}', stacklevel=2
        )
    if squares_only and rows != columns and (rows, columns) != tuple(grid):
        raise ValueError(
            f'{name} is of a grid of {rows} x {columns}, but the model has {grid[0]} x {grid[1]}. Build it with the '
            'input_size that these weights were trained with; to train on from them, name them in load_from, which '
            'resizes them'
        )
    weights[name] = resize_positional_embedding(weights[name], grid, (rows, columns), name)
    weights[grid_name] = torch.tensor(grid)
    return rows, columns
