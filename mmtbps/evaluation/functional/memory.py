"""Allocation of large matrices."""

import numpy as np
import torch
from torch import Tensor


def zero_matrix(rows: int, columns: int, like: Tensor) -> Tensor:
    """Create a matrix of zeros that is fast to fill.

    On the CPU it is allocated by NumPy, which asks the system for huge pages while torch does not: for a large matrix
    that is written once, most of the time goes into page faults.

    Args:
        rows: Number of rows.
        columns: Number of columns.
        like: A tensor of the wanted type and device.

    Returns:
        The matrix (rows, columns).
    """
    if like.device.type != 'cpu':
        return like.new_zeros(rows, columns)
    return torch.from_numpy(np.zeros((rows, columns), dtype=like.new_empty(0).numpy().dtype))
