"""Histograms of oriented gradients, as Dalal and Triggs describe them and OpenCV computes them."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ['BINS', 'CELL', 'WINDOW', 'block_histograms', 'window_scores']

BINS = 9
"""Directions of gradients, of 20 degrees each; the sign of a gradient does not count."""

CELL = 8
"""Side of a cell in pixels; a block has 2 x 2 cells, and blocks and windows begin at every cell."""

WINDOW = (128, 64)
"""Height and width in pixels of what is a person or not."""

_CELLS = 4
_CLIP = 0.2


def block_histograms(image: np.ndarray, device: torch.device | str = 'cpu') -> Tensor:
    """Compute the normalised histograms of all blocks of an image.

    Dalal & Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005: square roots of the pixels, at
    every pixel the gradient of the channel where it is largest, votes shared among two directions and four cells, a
    Gaussian over the block, and twice the L2 norm with a bound of 0.2 between. The constants are those of OpenCV, whose
    weights stand on them: the Gaussian has a deviation of 4 pixels and its middle at pixel 8, and the norms
    are increased by 3.6 and 0.001.

    Args:
        image: Pixels (H, W, 3) uint8, at least 16 x 16.
        device: Where to compute. Defaults to the CPU.

    Returns:
        Histograms (36, H // 8 - 1, W // 8 - 1) float32: for each block its cells, column by column, with nine
        directions each.
    """
    magnitude, direction = _gradients(torch.from_numpy(np.ascontiguousarray(image)).to(device))
    lower = torch.floor(direction)
    share = direction - lower
    votes = magnitude.new_zeros(BINS, *magnitude.shape)
    votes.scatter_(0, lower.long().remainder(BINS)[None], (magnitude * (1 - share))[None])
    votes.scatter_add_(0, (lower.long() + 1).remainder(BINS)[None], (magnitude * share)[None])
    cells = F.conv2d(votes[:, None], _cell_kernels().to(device), stride=CELL)
    return _normalise(cells.transpose(0, 1).flatten(0, 1))


def window_scores(histograms: Tensor, weights: Tensor) -> Tensor:
    """Score every window of an image by a linear function of its histograms.

    Args:
        histograms: Of all blocks (36, h, w), see :func:`block_histograms`.
        weights: 3,780 weights, window columns of blocks first, and the constant, (3781,).

    Returns:
        Scores (h - 14, w - 6), of windows that begin at every cell; above 0 is what the weights were trained to find.
    """
    rows, columns = (side // CELL - 1 for side in WINDOW)
    kernel = weights[:-1].reshape(columns, rows, _CELLS * BINS).permute(2, 1, 0)
    return F.conv2d(histograms[None], kernel[None].to(histograms))[0, 0] + float(weights[-1])


def _gradients(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Length of each pixel's gradient (H, W), and its direction in bins, whose middles are whole numbers."""
    roots = pixels.permute(2, 0, 1).contiguous().float().sqrt_()
    padded = F.pad(roots[None], (1, 1, 1, 1), mode='reflect')[0]
    across = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    squared = across.square() + down.square()
    largest, x, y = squared[0], across[0], down[0]
    for channel in range(1, len(squared)):  # faster than max and gather
        larger = squared[channel] > largest
        largest = torch.where(larger, squared[channel], largest)
        x, y = torch.where(larger, across[channel], x), torch.where(larger, down[channel], y)
    return largest.sqrt(), torch.atan2(y, x) * (BINS / math.pi) - 0.5


def _cell_kernels() -> Tensor:
    """What a pixel of a block counts in each of its cells, (4, 1, 16, 16): Gaussian times nearness to the cell."""
    place = torch.arange(2 * CELL, dtype=torch.float32)
    gaussian = torch.exp(-((place - CELL) ** 2) / (2 * (CELL / 2) ** 2))
    second = (place + 0.5) / CELL - 0.5
    near = torch.stack([(1 - second.abs()).clamp(0, 1), (1 - (second - 1).abs()).clamp(0, 1)]) * gaussian
    return torch.stack([near[row, :, None] * near[column] for column in (0, 1) for row in (0, 1)])[:, None]


def _normalise(cells: Tensor) -> Tensor:
    length = cells.norm(dim=0, keepdim=True) + 0.1 * len(cells)
    bounded = (cells / length).clamp(max=_CLIP)
    return bounded / (bounded.norm(dim=0, keepdim=True) + 1e-3)
