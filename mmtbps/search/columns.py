"""Columns of metadata: which rows meet a condition, for all rows at once."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from .facts import comparable, number_of, written
from .filters import Condition
from .listing import GalleryImage

__all__ = ['Columns']

_PLAIN, _EXACT = {int, float, type(None)}, 2**53
"""Kinds of numbers that are floats or become some, and how large an integer may be for that to be exact."""

_KINDS: dict[str, Callable[[Any], Any]] = {
    'written': lambda value: written(value) if comparable(value) else None,
    'numerals': number_of,
    'text': lambda value: value if isinstance(value, str) else None,
    'numbers': lambda value: None if isinstance(value, bool | str) else number_of(value),
    'truths': lambda value: value if isinstance(value, bool) else None,
}
"""What each kind of column takes of a row's value: None leaves the row out."""


class _Column:
    """Values of one kind, numbers or text: the distinct ones in order, and the place of each row's among them.

    Order and equality are Python's own, so that integers of any size and floats compare exactly.
    """

    def __init__(self, distinct: list[Any], places: np.ndarray) -> None:
        self.distinct = distinct
        self.places = places

    @classmethod
    def of(cls, kept: Sequence[Any]) -> '_Column':
        """Make a column of values of one kind, None where there is none."""
        if set(map(type, kept)) <= _PLAIN:
            with suppress(OverflowError):  # an integer beyond all floats
                floats = np.array([math.nan if value is None else value for value in kept], dtype=np.float64)
                if not (np.abs(floats) >= _EXACT).any():  # 2**53 may have been 2**53 + 1
                    return cls._of_floats(floats)
        distinct = sorted({value for value in kept if value is not None})
        place: dict[Any, int] = {value: number for number, value in enumerate(distinct)}
        place[None] = -1
        return cls(distinct, np.fromiter(map(place.__getitem__, kept), dtype=np.int32, count=len(kept)))

    @classmethod
    def _of_floats(cls, floats: np.ndarray) -> '_Column':
        """Make a column of numbers, nan where there is none: the same, ten times as fast."""
        there = ~np.isnan(floats)
        distinct, order = np.unique(floats[there], return_inverse=True)
        places = np.full(len(floats), -1, dtype=np.int32)
        places[there] = order
        return cls(distinct.tolist(), places)

    def meets(self, sign: str, value: Any) -> np.ndarray:
        """Which rows have a value that compares so, bool (rows,)."""
        first, end = bisect_left(self.distinct, value), bisect_right(self.distinct, value)
        if sign == '!=':
            return (self.places >= 0) & ((self.places < first) | (self.places >= end))
        start, stop = {
            '=': (first, end),
            '<': (0, first),
            '<=': (0, end),
            '>': (end, len(self.distinct)),
            '>=': (first, len(self.distinct)),
        }[sign]
        return (self.places >= start) & (self.places < stop)

    def where(self, holds: Callable[[Any], bool]) -> np.ndarray:
        """Which rows have a value of which something holds, asked once for each distinct value, bool (rows,)."""
        answers = np.array([*map(holds, self.distinct), False])  # the last one is for rows without a value
        return answers[self.places]


class Columns:
    """Metadata of a gallery's rows by field, made when a condition first asks for a field.

    Args:
        images: The image of each row; rows that are added later are not seen.
    """

    def __init__(self, images: Sequence[GalleryImage]) -> None:
        self._images = images
        self._columns: dict[tuple[str, str], _Column] = {}

    def meets(self, condition: Condition) -> np.ndarray:
        """Which rows meet a condition as :meth:`Condition.holds` says, bool (rows,)."""
        name, sign, values = condition.name, condition.sign, condition.values
        if sign in ('=', '!=', 'in'):
            column = self._column(name, 'written')
            found = [column.meets('=' if sign == 'in' else sign, written(value)) for value in values]
            return np.logical_or.reduce(found)
        if condition.numeric:
            return self._column(name, 'numerals').meets(sign, number_of(condition.value))
        return self._column(name, 'text').meets(sign, condition.value)

    def where(self, name: str, holds: Callable[[Any], bool]) -> np.ndarray:
        """Which rows have a number or text in a field of which something holds, bool (rows,)."""
        found = [self._column(name, kind).where(holds) for kind in ('text', 'numbers', 'truths')]
        return np.logical_or.reduce(found)

    def _column(self, name: str, kind: str) -> _Column:
        if (name, kind) not in self._columns:
            take = _KINDS[kind]
            self._columns[name, kind] = _Column.of([take(image.metadata.get(name)) for image in self._images])
        return self._columns[name, kind]
