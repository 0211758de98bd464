"""Large matrices on the host."""

import numpy as np
import torch
from torch import Tensor


def zero_matrix(rows: int, columns: int, like: Tensor) -> Tensor:
    """Make a matrix of zeros that is quick to fill, wherever it is.

    On the CPU through NumPy, which asks the system for huge pages where torch does not: a large matrix that is written
    once spends most of its time on being given memory, page by page.

    Args:
        rows: Its rows.
        columns: Its columns.
        like: A tensor of the type and device wanted.

    Returns:
        The matrix (rows, columns).
    """
    if like.device.type != 'cpu':
        return like.new_zeros(rows, columns)
    return torch.from_numpy(np.zeros((rows, columns), dtype=like.new_empty(0).numpy().dtype))
