"""From the loss of every query to one number."""

from torch import Tensor

__all__ = ['mean_of', 'reduce_rows']


def mean_of(rows: Tensor) -> str:
    """What torch's losses are to do with rows for their mean to be 0 where there is none, instead of nan."""
    return 'mean' if len(rows) else 'sum'


def reduce_rows(rows: Tensor, reduction: str) -> Tensor:
    """Take the mean over the queries, or leave their losses as they are.

    Args:
        rows: The loss of each query, (N,).
        reduction: ``'mean'`` or ``'none'``, as in torch's losses.

    Returns:
        A scalar, 0 without a query, or ``rows``.

    Raises:
        ValueError: If ``reduction`` is neither.
    """
    if reduction not in ('mean', 'none'):
        raise ValueError(f"reduction must be 'mean' or 'none', got {reduction!r}")
    if reduction == 'none':
        return rows
    return rows.mean() if len(rows) else rows.sum()
