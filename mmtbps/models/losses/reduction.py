"""From the loss of every query to one number."""

from torch import Tensor

__all__ = ['reduce_rows']


def reduce_rows(rows: Tensor, reduction: str) -> Tensor:
    """Take the mean over the queries, or leave their losses as they are.

    Args:
        rows: The loss of each query, (N,).
        reduction: ``'mean'`` or ``'none'``, as in torch's losses.

    Returns:
        A scalar, or ``rows``.

    Raises:
        ValueError: If ``reduction`` is neither.
    """
    if reduction not in ('mean', 'none'):
        raise ValueError(f"reduction must be 'mean' or 'none', got {reduction!r}")
    return rows.mean() if reduction == 'mean' else rows
