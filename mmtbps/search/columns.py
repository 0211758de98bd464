"""Columns of metadata: which rows meet a condition, for all rows at once."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from .filters import Condition, comparable
from .listing import GalleryImage

__all__ = ['Columns']

_PLAIN, _EXACT = {int, float, bool, type(None)}, 2**53
"""Kinds of numbers that are floats or become some, and how large an integer may be for that to be exact."""


class _Column:
    """Values of one kind, numbers or text: the distinct ones in order, and the place of each row's among them.

    Order and equality are Python's own, so that integers of any size and floats compare exactly.
    """

    def __init__(self, distinct: list[Any], places: np.ndarray) -> None:
        self.distinct = distinct
        self.places = places

    @classmethod
    def of(cls, values: Sequence[Any], text: bool) -> '_Column':
        """Make a column of those values that are text, or of those that are numbers."""
        if not text and set(map(type, values)) <= _PLAIN:
            with suppress(OverflowError):  # an integer beyond all floats
                floats = np.array([math.nan if value is None else value for value in values], dtype=np.float64)
                if not (np.abs(floats) > _EXACT).any():
                    return cls._of_floats(floats)
        kept = [value if isinstance(value, str) is text and comparable(value) else None for value in values]
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
        self._columns: dict[tuple[str, bool], _Column] = {}

    def meets(self, condition: Condition) -> np.ndarray:
        """Which rows meet a condition as :meth:`Condition.holds` says, bool (rows,)."""
        if condition.sign != 'in':
            return self._column(condition.name, condition.value).meets(condition.sign, condition.value)
        found = np.zeros(len(self._images), dtype=bool)
        for value in condition.value:
            found |= self._column(condition.name, value).meets('=', value)
        return found

    def where(self, name: str, holds: Callable[[Any], bool]) -> np.ndarray:
        """Which rows have a number or text in a field of which something holds, bool (rows,)."""
        return self._column(name, 0).where(holds) | self._column(name, '').where(holds)

    def _column(self, name: str, like: Any) -> _Column:
        text = isinstance(like, str)
        if (name, text) not in self._columns:
            values = [image.metadata.get(name) for image in self._images]
            self._columns[name, text] = _Column.of(values, text)
        return self._columns[name, text]
