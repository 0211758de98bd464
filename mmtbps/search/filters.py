"""Conditions on the metadata of images."""

import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .facts import comparable, number_of, number_or_text, written

__all__ = ['Condition', 'WhereLike', 'milvus_metadata', 'parse_where', 'split_where', 'written_name']

WhereLike = str | Sequence[str] | Mapping[str, Any]
"""``'camera = c1'``, several of these, or a mapping of fields to values (a list of values: any of them)."""

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    '<': operator.lt,
    '<=': operator.le,
    '>': operator.gt,
    '>=': operator.ge,
}
_SIGNS = ('=', '!=', *_ORDERS, 'in')
# What Milvus is asked for; a JSON field holds 64 KB.
_LONGEST_TEXT, _LONGEST_LIST, _LARGEST_NUMBER = 256, 100, 2**53
_ODD_NUMERAL = re.compile(
    r'[+-]?(\d+(\.\d*)?e[+-]?\d+|\.\d+(e[+-]?\d+)?|\d+\.|\d{1,3}(,\d{3})+(\.\d*)?)', re.ASCII | re.IGNORECASE
)
_PART = re.compile(r'(?:"[^"]*"|[^,])+')
_PLAIN_NAME = re.compile(r'\w+(?:[.-]+\w+)*')
_NAME = rf'{_PLAIN_NAME.pattern}|"(?:[^"]|"")*"'
_QUOTED = re.compile(rf'(\s*(?:{_NAME})\s*(?:==|!=|<=|>=|=|<|>)\s?)"([^"]*)"')
_FURTHER = re.compile(r',\s*([\w.-]+|"[^"]*")\s*(=|!=|<|>)=?\s')
_TEXT = re.compile(rf'^\s*({_NAME})\s*(==|!=|<=|>=|=|<|>)\s?(.*\S.*)$', re.DOTALL)


@dataclass(frozen=True)
class Condition:
    """A comparison of a metadata field with a value.

    Args:
        name: Name of the metadata field, such as ``'camera'``.
        sign: The comparison: ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=`` or ``in``.
        value: A number or string; a tuple of them for ``in``.

    Raises:
        ValueError: If ``sign`` is unknown, ``in`` has no value, a value is neither text nor a number, or nan, or a
            bound is a number that is not written by digits alone (``1e3``, ``1,000``, ``.5``).
    """

    name: str
    sign: str
    value: Any

    def __post_init__(self) -> None:
        if self.sign not in _SIGNS:
            raise ValueError(f'{self.sign!r} is not a comparison; choose from {", ".join(_SIGNS)}.')
        if self.sign == 'in' and not self.value:
            raise ValueError(f'The condition on {self.name!r} has an empty list of values; give at least one.')
        for value in self.values:
            if not comparable(value):
                raise ValueError(f'The condition on {self.name!r} compares with {value!r}; give a number or a string.')
        if self.sign in _ORDERS and isinstance(self.value, str) and _ODD_NUMERAL.fullmatch(self.value.strip()):
            raise ValueError(
                f'The condition on {self.name!r} compares with {self.value!r}, which would be compared letter by '
                'letter; write a number by its digits alone, such as 1000 or 0.5.'
            )

    @property
    def values(self) -> tuple:
        """The values that are compared with, several for ``in``."""
        return tuple(self.value) if self.sign == 'in' else (self.value,)

    @property
    def numeric(self) -> bool:
        """Whether an order is that of numbers, since the bound is one; else it is that of text."""
        return self.sign in _ORDERS and number_of(self.value) is not None

    def holds(self, metadata: Mapping[str, Any]) -> bool:
        """Whether an image with this metadata matches.

        Equality compares as written: 7, 7.0 and 007 are three values, and the text 7 is the number 7. Order compares
        numbers with numbers, those in text (0930) among them, or, if the bound is no number, text with text. An image
        without the field does not match, whatever the comparison, nor does one whose value is nan, or is neither text
        nor a number.
        """
        value = metadata.get(self.name)
        if not comparable(value):
            return False
        if self.sign in _ORDERS:
            return self._ordered(value)
        return (written(value) in map(written, self.values)) == (self.sign != '!=')

    def _ordered(self, value: Any) -> bool:
        if self.numeric:
            number = number_of(value)
            return number is not None and bool(_ORDERS[self.sign](number, number_of(self.value)))
        return isinstance(value, str) and bool(_ORDERS[self.sign](value, self.value))

    @property
    def expression(self) -> str | None:
        """The condition as a filter expression of Milvus on what :func:`milvus_metadata` wrote; None if it cannot.

        It lets through what the condition holds of, and maybe more: Milvus has one number for 7 and 7.0.
        """
        if len(self.values) > _LONGEST_LIST or not all(map(_milvus_knows, self.values)):
            return None
        if self.sign in _ORDERS:
            bound = number_of(self.value) if self.numeric else self.value
            return self._compare(self.sign, bound) if _milvus_knows(bound) else None
        # Milvus Lite supports `in` for fields only, not for keys inside a JSON field.
        parts = [part for value in self.values for part in self._equal(written(value))]
        return parts[0] if len(parts) == 1 else f'({" or ".join(parts)})'

    def _equal(self, text: str) -> list[str]:
        if self.sign == '!=':  # Milvus says that of missing fields too
            return [self._compare('<', text), self._compare('>', text), self._compare('>=', -_LARGEST_NUMBER)]
        number = _float(text)
        return [self._compare('==', text), *([] if number is None else [self._compare('==', number)])]

    def _compare(self, sign: str, value: Any) -> str:
        key, kept = _milvus_entry(self.name, value)
        return f'metadata["{key}"] {sign} {json.dumps(kept)}'

    def milvus_sees(self, value: Any) -> bool:
        """Whether :attr:`expression` lets an image through that has this value and of which the condition holds."""
        if isinstance(value, bool) or not _milvus_knows(value):
            return False
        return not (self.numeric and isinstance(value, str))


def _milvus_knows(value: Any) -> bool:
    """Whether Milvus compares a value as Python does: short text, and numbers that a float holds exactly."""
    if isinstance(value, str):
        return len(value) <= _LONGEST_TEXT
    return isinstance(value, int | float) and abs(value) <= _LARGEST_NUMBER


def _float(text: str) -> float | None:
    """The number that a stored value written so may be for Milvus."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) <= _LARGEST_NUMBER else None


def milvus_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Write metadata so that Milvus compares them as :meth:`Condition.holds` does.

    Names and text are hexadecimal digits of UTF-8, which keep the order and need no escapes, of which the versions of
    Milvus read different ones. Numbers are floats, and have names other than text, so that kinds are never mixed.
    """
    return dict(_milvus_entry(name, value) for name, value in metadata.items() if _milvus_knows(value))


def _milvus_entry(name: str, value: Any) -> tuple[str, Any]:
    if isinstance(value, str):
        return f't{_digits(name)}', f'x{_digits(value)}'
    return f'n{_digits(name)}', float(value)


def _digits(text: str) -> str:
    return text.encode('utf-8', 'surrogatepass').hex()


def parse_where(where: WhereLike | None) -> tuple[Condition, ...]:
    """Parse conditions, all of which must hold.

    Args:
        where: See ``WhereLike``; in text one blank after the sign belongs to the sign, all else to the value, which
            becomes a number if it is the plain form of one. A name of other characters than letters, digits, ``_``,
            ``-`` and ``.`` stands in double quotes, see :func:`written_name`. None means no condition.

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


def written_name(name: str) -> str:
    """Write the name of a metadata field as a condition takes it: in double quotes where it needs some.

    Args:
        name: Any name.

    Example:
        >>> written_name('camera'), written_name('camera id')
        ('camera', '"camera id"')
    """
    if _PLAIN_NAME.fullmatch(name):
        return name
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def split_where(text: str) -> list[str]:
    """Split conditions that stand in one line, with commas between them.

    Args:
        text: The conditions. Blanks around a comma are no part of a value; one that has a comma, or ends in a blank, is
            written in double quotes.

    Returns:
        The conditions, for :func:`parse_where`, which checks them.

    Example:
        >>> split_where('camera = c1, owner != "Smith, John"')
        ['camera = c1', 'owner != Smith, John']
    """
    parts = [part.strip() for part in _PART.findall(text)]
    return [_QUOTED.sub(r'\1\2', part) if _QUOTED.fullmatch(part) else part for part in parts if part]


def _equal(name: str, value: Any) -> Condition:
    several = isinstance(value, list | tuple | set)
    return Condition(name, 'in', tuple(value)) if several else Condition(name, '=', value)


def _parse(text: str) -> Condition:
    match = _TEXT.match(text)
    if match is None:
        raise ValueError(
            f"{text!r:.80} is not a condition; write one such as 'camera = c1' or 'time >= 1200'. A name with blanks "
            'or signs stands in double quotes: \'"camera id" = 3\'.'
        )
    name, sign, value = match.groups()
    if name.startswith('"'):
        name = name[1:-1].replace('""', '"')
    if text[match.end(2)] in '<>=!':
        wrong = text[match.start(2) : match.end(2) + 1]
        near = {'=>': '>=', '=<': '<=', '=!': '!=', '<>': '!=', '===': '='}.get(wrong)
        hint = f'did you mean {near}?' if near else f'there are {", ".join(_SIGNS[:-1])}.'
        raise ValueError(
            f'The condition {text!r:.80}: {wrong} is no comparison, {hint} Values that begin so need a blank in front.'
        )
    if _FURTHER.search(value):
        first, second = split_where(text)[:2]
        raise ValueError(f'{text!r:.80} is more than one condition; give each by itself: {first!r} {second!r}.')
    return Condition(name, '=' if sign == '==' else sign, number_or_text(value))
