"""The pairs of all processes."""

from typing import Any

from mmengine import dist
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmtbps.core.distributed import gather, gather_with_gradient

from ..structures import ContrastEmbeddings, PairEmbeddings

__all__ = ['gather_pairs']


class _Gathered:
    """A structure of all processes: a field is gathered when it is first read, so that unread ones cost nothing."""

    def __init__(self, element: BaseDataElement, with_gradient: bool) -> None:
        self._element = element
        self._with_gradient = with_gradient

    def __contains__(self, name: str) -> bool:
        return name in self._element

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._element, name)
        if isinstance(value, Tensor):
            value = _gather(value, self._with_gradient)
        elif isinstance(value, BaseDataElement) and not isinstance(value, ContrastEmbeddings):
            value = _Gathered(value, self._with_gradient)
        setattr(self, name, value)
        return value


def gather_pairs(pairs: PairEmbeddings, with_gradient: bool = True) -> Any:
    """Concatenate the pairs of all processes.

    Args:
        pairs: The pairs of this process, as many as in each of the others.
        with_gradient: Whether gradients flow back to the process that a value came from. Without, only the own values
            keep their gradient.

    Returns:
        A structure with every field of ``pairs``, those of structures inside it included, rank 0 first. A field is
        gathered when it is first read; all processes read the same ones in the same order. ``contrast`` stays that of
        this process. In a single process the argument itself.
    """
    return pairs if dist.get_world_size() == 1 else _Gathered(pairs, with_gradient)


def _gather(values: Tensor, with_gradient: bool) -> Tensor:
    if not values.requires_grad:
        return gather(values)
    if with_gradient:
        return gather_with_gradient(values)
    everything = gather(values)
    start = dist.get_rank() * len(values)
    everything[start : start + len(values)] = values
    return everything
