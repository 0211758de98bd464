"""Argument checks of ranking and re-ranking."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from mmtbps.core.checks import shown, whole


def _as_tensor(value: Any, name: str, kind: str, hint: str = '') -> Tensor:
    """Convert anything to a tensor, or say what it should have been."""
    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        reason = ' '.join(str(error).split())
        raise TypeError(f'{name} must hold {kind}, got {shown(value)} ({reason:.200}){hint}.') from error


def as_float(value: Any, name: str) -> Tensor:
    """Convert to a floating-point matrix of at least 32 bits: half precision is promoted, float32 and float64 stay.

    Args:
        value: A matrix (n, m).
        name: The argument's name, for the message.

    Returns:
        The matrix, detached from the graph.

    Raises:
        TypeError: If it does not hold floating-point numbers.
        ValueError: If it is not a matrix.
    """
    value = _as_tensor(value, name, 'floating-point numbers').detach()
    if not value.is_floating_point():
        raise TypeError(f'{name} must hold floating-point numbers, got {value.dtype}; convert it with .float().')
    if value.dim() != 2:
        raise ValueError(f'{name} must be a matrix with two dimensions, got shape {tuple(value.shape)}.')
    return value if value.dtype == torch.float64 else value.float()


def as_ids(value: Any, name: str, count: int | None = None) -> Tensor:
    """Convert to a vector of person ids on the host.

    Args:
        value: Integers (n,): a tensor, an array or a list.
        name: The argument's name, for the message.
        count: Required number of ids. Defaults to None: any number.

    Returns:
        The ids, int64 (n,).

    Raises:
        TypeError: If they are not integers.
        ValueError: If they are not a vector or their number differs.
    """
    remedy = 'numpy.unique(ids, return_inverse=True)[1]'
    hint = f'. Convert text ids first, those of queries and gallery together: {remedy}'
    value = _as_tensor(value, name, 'integers', hint).cpu()
    if value.numel() and (value.is_floating_point() or value.is_complex() or value.dtype == torch.bool):
        raise TypeError(f'{name} must hold integers, got {value.dtype}.')
    if value.dim() != 1 or count not in (None, len(value)):
        expected = 'one person id per row' if count is None else f'one person id per row, that is {count}'
        raise ValueError(f'{name} must hold {expected}, got shape {tuple(value.shape)}.')
    return value.long()


def check_topk(topk: Sequence[int]) -> tuple[int, ...]:
    """Check the ranks at which CMC is reported.

    Args:
        topk: At least one rank, each at least 1; they may exceed the gallery.

    Returns:
        The ranks.

    Raises:
        TypeError: If they are no whole numbers.
        ValueError: If there is none or one is below 1.
    """
    if isinstance(topk, str) or not isinstance(topk, Iterable):
        raise TypeError(f'topk must be a sequence of ranks, got {shown(topk)}.')
    ranks = tuple(whole(k, 'every rank of topk') for k in topk)
    if not ranks or min(ranks) < 1:
        raise ValueError(f'topk must name at least one rank and none below 1, got {shown(topk)}.')
    return ranks


def unit_rows(value: Any, name: str) -> Tensor:
    """Normalise features, in at least 32 bits, to rows of length 1 (a row of zeros stays).

    Args:
        value: Features (n, D).
        name: The argument's name, for the message.

    Returns:
        The normalised features (n, D).

    Raises:
        ValueError: If a number is not finite, which would make the ranking meaningless.
    """
    feats = as_float(value, name)
    length = torch.linalg.vector_norm(feats, dim=1, keepdim=True)
    broken = ~length.isfinite()
    if broken.any():
        raise ValueError(
            f'{name} has {int(broken.sum())} rows with NaN, infinity or numbers too large to square; the first is '
            f'row {int(broken.nonzero()[0, 0])}. The model diverged or its weights are broken.'
        )
    return feats / length.clamp_min(1e-12)


def unit_pair(query_feats: Any, gallery_feats: Any) -> tuple[Tensor, Tensor]:
    """Normalise query and gallery features and convert them to one type.

    Args:
        query_feats: Features (Q, D).
        gallery_feats: Features (G, D), on the same device.

    Returns:
        Both, with rows of length 1, in the wider of their two types.

    Raises:
        ValueError: If their widths differ or a number is not finite.
    """
    query, gallery = unit_rows(query_feats, 'query_feats'), unit_rows(gallery_feats, 'gallery_feats')
    if query.size(1) != gallery.size(1):
        raise ValueError(
            f'query_feats and gallery_feats must have the same width, got {query.size(1)} and {gallery.size(1)}; '
            'they seem to come from different models.'
        )
    dtype = torch.promote_types(query.dtype, gallery.dtype)
    return query.to(dtype), gallery.to(dtype)
