"""Conditions on the metadata of images."""

import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .metadata import number_or_text

__all__ = ['Condition', 'WhereLike', 'parse_where']

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
_TEXT = re.compile(r'^\s*(\w+)\s*(==|!=|<=|>=|=|<|>)\s*(.+?)\s*$')


@dataclass(frozen=True)
class Condition:
    """A comparison of a metadata field with a value.

    Args:
        name: Name of the metadata field, such as ``'camera'``.
        sign: The comparison: ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=`` or ``in``.
        value: A number or string; a tuple of them for ``in``.

    Raises:
        ValueError: If ``sign`` is unknown, or ``in`` has no value.
    """

    name: str
    sign: str
    value: Any

    def __post_init__(self) -> None:
        if self.sign not in _OPERATORS:
            raise ValueError(f'{self.sign!r} is not a comparison; choose from {", ".join(_OPERATORS)}.')
        if self.sign == 'in' and not self.value:
            raise ValueError(f'The condition on {self.name!r} has an empty list of values; give at least one.')

    def holds(self, metadata: Mapping[str, Any]) -> bool:
        """Whether an image with this metadata matches; not if the field is missing, or is text instead of a number."""
        if self.name not in metadata:
            return False
        value = metadata[self.name]
        if self.sign != 'in' and isinstance(value, str) != isinstance(self.value, str):
            return False
        return bool(_OPERATORS[self.sign](value, self.value))

    @property
    def expression(self) -> str:
        """The condition as a filter expression of Milvus, where metadata are stored in a JSON field ``metadata``."""
        field = f'metadata[{json.dumps(self.name)}]'
        if self.sign == 'in':
            # Milvus Lite supports `in` for fields only, not for keys inside a JSON field.
            return '(' + ' or '.join(f'{field} == {json.dumps(value)}' for value in self.value) + ')'
        return f'{field} {"==" if self.sign == "=" else self.sign} {json.dumps(self.value)}'


def parse_where(where: WhereLike | None) -> tuple[Condition, ...]:
    """Parse conditions, all of which must hold.

    Args:
        where: See ``WhereLike``; numbers in text become numbers. None means no condition.

    Returns:
        The conditions.

    Raises:
        ValueError: If a text is not a comparison.

    Example:
        >>> parse_where(['camera = c1', 'time >= 1200'])
        (Condition(name='camera', sign='=', value='c1'), Condition(name='time', sign='>=', value=1200))
    """
    if where is None:
        return ()
    if isinstance(where, Mapping):
        return tuple(_equal(name, value) for name, value in where.items())
    return tuple(_parse(text) for text in ([where] if isinstance(where, str) else where))


def _equal(name: str, value: Any) -> Condition:
    several = isinstance(value, list | tuple | set)
    return Condition(name, 'in', tuple(value)) if several else Condition(name, '=', value)


def _parse(text: str) -> Condition:
    match = _TEXT.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a condition; write one such as 'camera = c1' or 'time >= 1200'.")
    name, sign, value = match.groups()
    return Condition(name, '=' if sign == '==' else sign, number_or_text(value))
