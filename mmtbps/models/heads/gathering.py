"""The pairs of all processes."""

from typing import Any

import torch
from mmengine import dist
from mmengine.structures import BaseDataElement
from torch import Tensor
from torch.nn import functional as F

from mmtbps.core.distributed import gather, gather_with_gradient
from mmtbps.datasets.transforms.tokens import IGNORED

from ..structures import ContrastEmbeddings, PairEmbeddings

__all__ = ['gather_pairs', 'places_of']

# Fields (N, L, ...) whose length differs between processes.
_SEQUENCES = ('tokens', 'mask', 'attention', 'labels')


class _Gathered:
    """A structure of all processes: a field is gathered when it is first read, so that unread ones cost nothing."""

    def __init__(self, element: BaseDataElement, with_gradient: bool) -> None:
        self._element = element
        self._with_gradient = with_gradient

    def __contains__(self, name: str) -> bool:
        return name in self._element

    def keys(self) -> list[str]:
        return self._element.keys()

    def get(self, name: str, default: Any = None) -> Any:
        return getattr(self, name) if name in self else default

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._element, name)
        if isinstance(value, Tensor):
            if name in _SEQUENCES:
                value = _pad_to_longest(value)
            value = _gather(value, self._with_gradient)
        elif isinstance(value, BaseDataElement) and not isinstance(value, ContrastEmbeddings):
            value = _Gathered(value, self._with_gradient)
        setattr(self, name, value)
        return value


def _pad_to_longest(values: Tensor) -> Tensor:
    """Pad (N, L, ...) to the largest L of all processes: False, 0, or for labels what a loss ignores."""
    lengths = dist.all_gather(torch.tensor([values.shape[1]], device=values.device))
    missing = max(int(length) for length in lengths) - values.shape[1]
    padding = IGNORED if not (values.is_floating_point() or values.dtype == torch.bool) else 0
    return F.pad(values, [*[0, 0] * (values.dim() - 2), 0, missing], value=padding) if missing else values


def gather_pairs(pairs: PairEmbeddings, with_gradient: bool = True) -> Any:
    """Concatenate the pairs of all processes.

    Args:
        pairs: The pairs of this process, as many as in each of the others.
        with_gradient: Whether gradients flow back to the process that a value came from. Without, only the own values
            keep their gradient.

    Returns:
        A structure with every field of ``pairs``, those of structures inside it included, rank 0 first. A field is
        gathered when it is first read; all processes read the same ones in the same order. Tokens, masks, attention
        and labels are padded to the longest of all processes. ``contrast`` stays that of this process. In a single
        process the argument itself.
    """
    return pairs if dist.get_world_size() == 1 else _Gathered(pairs, with_gradient)


def places_of(own: Any, everything: Any) -> Tensor:
    """Say where pairs stand among all.

    Args:
        own: The pairs of this process, or ``everything``.
        everything: Those of all processes.

    Returns:
        Their places, (N,), int64.
    """
    ids = own.person_ids
    start = 0 if own is everything else dist.get_rank() * len(ids)
    return torch.arange(start, start + len(ids), device=ids.device)


def _gather(values: Tensor, with_gradient: bool) -> Tensor:
    if not values.requires_grad:
        return gather(values)
    if with_gradient:
        return gather_with_gradient(values)
    everything = gather(values)
    start = dist.get_rank() * len(values)
    everything[start : start + len(values)] = values
    return everything
