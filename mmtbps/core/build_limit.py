"""A limit on models whose config comes from data: what their weights' file cannot hold is not built."""

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.modules.module import register_module_module_registration_hook
from torch.overrides import TorchFunctionMode

__all__ = ['FREE_NUMBERS', 'limited_building']

FREE_NUMBERS = 2**28
"""Numbers that a model may have beside those of its weights' file: heads and queues that were not kept."""

_MOST_MODULES = 20_000
"""Several times those of the largest models."""

_SHAPED = frozenset({torch.empty, torch.full, torch.ones, torch.rand, torch.randn, torch.zeros})


class _Limit(TorchFunctionMode):
    """Counts tensors before they are made."""

    def __init__(self, most: int, refusal: str) -> None:
        super().__init__()
        self.most, self.refusal = most, refusal
        self.numbers = self.modules = 0
        self.thread = threading.get_ident()

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        self.numbers += _numel(func, args, kwargs)
        if self.numbers > self.most:
            raise ValueError(f'{self.refusal} (more than {self.most} numbers).')
        return func(*args, **kwargs)

    def count(self, *_: Any) -> None:
        """Count a module that another one gets."""
        self.modules += threading.get_ident() == self.thread
        if self.modules > _MOST_MODULES and threading.get_ident() == self.thread:
            raise ValueError(f'{self.refusal} (more than {_MOST_MODULES} modules).')


def _numel(func: Any, args: tuple, kwargs: dict) -> int:
    """How many numbers a function of torch makes, if it makes them from sizes alone."""
    if func is torch.linspace:
        size = kwargs.get('steps', args[2:3])
    elif func is torch.arange:
        size = kwargs.get('end', args[:1] if len(args) == 1 else args[1:2])
    elif func in _SHAPED:
        size = kwargs.get('size', args[0] if args and isinstance(args[0], Sequence) else args)
    else:
        return 0
    sizes = size if isinstance(size, Sequence) else (size,)
    return math.prod(part for part in sizes if isinstance(part, int))


@contextmanager
def limited_building(place: str, weights: str, file_size: int) -> Iterator[None]:
    """Refuse to go on building a model that is much larger than the file of its weights.

    Within the block, what torch is asked for is counted before it is made, and so are modules, in this thread.

    Args:
        place: File and place of the config, for messages.
        weights: File of the weights, for messages.
        file_size: Bytes of it; every number of a model takes at least one.

    Raises:
        ValueError: If the model has more numbers than the file can hold and :data:`FREE_NUMBERS` besides, or more
            modules than any model.
    """
    limit = _Limit(
        file_size + FREE_NUMBERS, f'{place} asks for a model that the weights {weights} cannot be of: it is too large'
    )
    handle = register_module_module_registration_hook(limit.count)
    try:
        with limit:
            yield
    finally:
        handle.remove()
