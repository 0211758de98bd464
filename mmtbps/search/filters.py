"""Conditions on the metadata of images."""

import json
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from .metadata import number_or_text

__all__ = ['Condition', 'WhereLike', 'comparable', 'milvus_knows', 'milvus_metadata', 'parse_where']

WhereLike = str | Sequence[str] | Mapping[str, Any]
"""``'camera = c1'``, several of these, or a mapping of fields to values (a list of values: any of them)."""

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    '=': operator.eq,
    '!=': operator.ne,
    '<': operator.lt,
    '<=': operator.le,
    '>': operator.gt,
    '>=': operator.ge,
    'in': lambda value, values: value in values,
}
# What Milvus is asked for; a JSON field holds 64 KB.
_LONGEST_TEXT, _LONGEST_LIST, _LARGEST_NUMBER = 256, 100, 2**53
_TEXT = re.compile(r'^\s*(\w+)\s*(==|!=|<=|>=|=|<|>)\s*(.+?)\s*$')


@dataclass(frozen=True)
class Condition:
    """A comparison of a metadata field with a value.

    Args:
        name: Name of the metadata field, such as ``'camera'``.
        sign: The comparison: ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=`` or ``in``.
        value: A number or string; a tuple of them for ``in``.

    Raises:
        ValueError: If ``sign`` is unknown, ``in`` has no value, or a value is neither text nor a number, or nan.
    """

    name: str
    sign: str
    value: Any

    def __post_init__(self) -> None:
        if self.sign not in _OPERATORS:
            raise ValueError(f'{self.sign!r} is not a comparison; choose from {", ".join(_OPERATORS)}.')
        if self.sign == 'in' and not self.value:
            raise ValueError(f'The condition on {self.name!r} has an empty list of values; give at least one.')
        for value in self._values:
            if not comparable(value):
                raise ValueError(f'The condition on {self.name!r} compares with {value!r}; give a number or a string.')

    @property
    def _values(self) -> tuple:
        return tuple(self.value) if self.sign == 'in' else (self.value,)

    def holds(self, metadata: Mapping[str, Any]) -> bool:
        """Whether an image with this metadata matches.

        Numbers are compared with numbers and text with text. An image without the field does not match, whatever the
        comparison, nor does one whose value is of the other kind, nan or neither.
        """
        value = metadata.get(self.name)
        if not comparable(value):
            return False
        if self.sign != 'in' and isinstance(value, str) != isinstance(self.value, str):
            return False
        return bool(_OPERATORS[self.sign](value, self.value))

    @property
    def expression(self) -> str | None:
        """The condition as a filter expression of Milvus on what :func:`milvus_metadata` wrote; None if it cannot."""
        if len(self._values) > _LONGEST_LIST or not all(map(milvus_knows, self._values)):
            return None
        if self.sign == '!=':  # Milvus says that of missing fields too
            return f'({self._compare("<", self.value)} or {self._compare(">", self.value)})'
        if self.sign == 'in':
            # Milvus Lite supports `in` for fields only, not for keys inside a JSON field.
            return '(' + ' or '.join(self._compare('==', value) for value in self.value) + ')'
        return self._compare('==' if self.sign == '=' else self.sign, self.value)

    def _compare(self, sign: str, value: Any) -> str:
        key, written = _milvus_entry(self.name, value)
        return f'metadata["{key}"] {sign} {json.dumps(written)}'


def comparable(value: Any) -> bool:
    """Whether a value of a metadata field can be compared: text, or a number other than nan."""
    return isinstance(value, str) or (isinstance(value, Real) and not math.isnan(value))


def milvus_knows(value: Any) -> bool:
    """Whether Milvus compares a value as Python does: short text, and numbers that a float holds exactly."""
    if isinstance(value, str):
        return len(value) <= _LONGEST_TEXT
    return isinstance(value, int | float) and abs(value) <= _LARGEST_NUMBER


def milvus_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Write metadata so that Milvus compares them as :meth:`Condition.holds` does.

    Names and text are hexadecimal digits of UTF-8, which keep the order and need no escapes, of which the versions of
    Milvus read different ones. Numbers are floats, and have names other than text, so that kinds are never mixed.
    """
    return dict(_milvus_entry(name, value) for name, value in metadata.items() if milvus_knows(value))


def _milvus_entry(name: str, value: Any) -> tuple[str, Any]:
    if isinstance(value, str):
        return f't{_digits(name)}', f'x{_digits(value)}'
    return f'n{_digits(name)}', float(value)


def _digits(text: str) -> str:
    return text.encode('utf-8', 'surrogatepass').hex()


def parse_where(where: WhereLike | None) -> tuple[Condition, ...]:
    """Parse conditions, all of which must hold.

    Args:
        where: See ``WhereLike``; numbers in text become numbers. None means no condition.

    Returns:
        The conditions.

    Raises:
        TypeError: If a condition is no text.
        ValueError: If a text is not a comparison.

    Example:
        >>> parse_where(['camera = c1', 'time >= 1200'])
        (Condition(name='camera', sign='=', value='c1'), Condition(name='time', sign='>=', value=1200))
    """
    if where is None:
        return ()
    if isinstance(where, Mapping):
        return tuple(_equal(name, value) for name, value in where.items())
    texts = [where] if isinstance(where, str) or not isinstance(where, Iterable) else list(where)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(f"where must be a condition such as 'camera = c1', or several, got {where!r:.80}.")
    return tuple(map(_parse, texts))


def _equal(name: str, value: Any) -> Condition:
    several = isinstance(value, list | tuple | set)
    return Condition(name, 'in', tuple(value)) if several else Condition(name, '=', value)


def _parse(text: str) -> Condition:
    match = _TEXT.match(text)
    if match is None:
        raise ValueError(f"{text!r:.80} is not a condition; write one such as 'camera = c1' or 'time >= 1200'.")
    name, sign, value = match.groups()
    return Condition(name, '=' if sign == '==' else sign, number_or_text(value))
