"""Checks of arguments that many rooms share."""

import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

__all__ = ['above_zero', 'at_least', 'finite', 'in_unit', 'not_negative', 'positive', 'shown', 'whole']


def shown(value: Any) -> str:
    """Write a value as a message quotes it: in one line and not too long."""
    return f'{" ".join(repr(value).split()):.80}'


def whole(value: Any, name: str) -> int:
    """Check that a value is a whole number; True and False are none, and neither is 1.0.

    Args:
        value: The value.
        name: The argument's name, for the message.

    Returns:
        The number.

    Raises:
        TypeError: If it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f'{name} must be a whole number, got {shown(value)}.')
    return int(value)


def positive(value: int, name: str) -> int:
    """Check a count that must be at least 1.

    Args:
        value: The count.
        name: The argument's name, for the message.

    Returns:
        The count.

    Raises:
        TypeError: If it is no whole number.
        ValueError: If it is below 1.
    """
    if whole(value, name) < 1:
        raise ValueError(f'{name} must be at least 1, got {value!r}.')
    return int(value)


def in_unit(value: float, name: str) -> float:
    """Check a share.

    Args:
        value: The share.
        name: The argument's name, for the message.

    Returns:
        The share.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is outside 0..1.
    """
    if not 0 <= finite(value, name) <= 1:
        raise ValueError(f'{name} must be in 0..1, got {value!r}.')
    return float(value)


def finite(value: Any, name: str) -> float:
    """Check that a value is a number, neither infinite nor nan.

    Args:
        value: The value.
        name: The argument's name, for the message.

    Returns:
        The number.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is infinite or nan.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f'{name} must be a number, got {shown(value)}.')
    if not math.isfinite(value):
        raise ValueError(f'{name} must be a finite number, got {value!r}.')
    return float(value)


def not_negative(value: Any, name: str) -> float:
    """Check a number as :func:`finite` does, and that it is not below 0."""
    if finite(value, name) < 0:
        raise ValueError(f'{name} must not be negative, got {value!r}.')
    return float(value)


def above_zero(value: Any, name: str) -> float:
    """Check a number as :func:`finite` does, and that it is above 0."""
    if finite(value, name) <= 0:
        raise ValueError(f'{name} must be above 0, got {value!r}.')
    return float(value)


def at_least(least: float) -> Callable[[Any, str], float]:
    """Make a check as :func:`finite` is one, for numbers from ``least`` on."""

    def check(value: Any, name: str) -> float:
        if finite(value, name) < least:
            raise ValueError(f'{name} must be at least {least}, got {value!r}.')
        return float(value)

    return check
