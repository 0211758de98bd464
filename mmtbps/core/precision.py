"""Keep similarities and losses in at least single precision."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

__all__ = ['at_least_float32', 'promote']

_Value = TypeVar('_Value')
_Result = TypeVar('_Result')


def promote(value: _Value) -> _Value:
    """Turn a half-precision tensor into float32.

    Args:
        value: Anything; what is no float16 or bfloat16 tensor is returned as it is, float64 included.

    Returns:
        The value in at least single precision.
    """
    if isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16):
        return value.float()  # type: ignore[return-value]
    return value


def at_least_float32(function: Callable[..., _Result]) -> Callable[..., _Result]:
    """Make a function of tensors compute in float32 or wider, under autocast too.

    Half-precision arguments are promoted, and autocast, which would cast the matrix products back down, is
    switched off inside. float64 stays float64.

    Args:
        function: A function whose first argument is a tensor.

    Returns:
        The same function with promoted arguments.
    """

    @functools.wraps(function)
    def promoted(first: Tensor, *args: Any, **kwargs: Any) -> _Result:
        with torch.autocast(first.device.type, enabled=False):
            return function(promote(first), *map(promote, args), **{key: promote(kwargs[key]) for key in kwargs})

    return promoted
