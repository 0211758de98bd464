"""Values of metadata: when text is a number, and what values are compared by."""

import math
import re
from numbers import Integral, Real
from typing import Any

__all__ = ['comparable', 'number_of', 'number_or_text', 'written']

_WHOLE, _DECIMAL = re.compile(r'-?\d{1,19}', re.ASCII), re.compile(r'-?\d+\.\d+', re.ASCII)
_NUMERAL = re.compile(r'[+-]?\d{1,40}(\.\d{1,40})?', re.ASCII)
_LARGEST = 2**63


def number_or_text(text: str) -> int | float | str:
    """Convert text to a number if it is the plain form of one, which is written in no other way.

    Text that is no number may look like one: the camera ``007``, the frame ``0001_02``, the name ``7e1``. What this
    returns is written again as it was, so that no two texts become one value.

    Args:
        text: A cell of a table, a part of a path, or the value of a condition.

    Returns:
        A whole number of 64 bits or a decimal fraction, if Python writes it so; else the text.
    """
    if _WHOLE.fullmatch(text) and -_LARGEST <= int(text) < _LARGEST:
        number: int | float = int(text)
    elif _DECIMAL.fullmatch(text):
        number = float(text)
    else:
        return text
    return number if written(number) == text else text


def comparable(value: Any) -> bool:
    """Whether a value of a metadata field can be compared: text, or a number other than nan."""
    return isinstance(value, str) or (isinstance(value, Real) and not math.isnan(value))


def written(value: Any) -> str:
    """Write a comparable value as tables and conditions do, which is what equality compares."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return 'true' if value else 'false'
    return str(int(value)) if isinstance(value, Integral) else repr(float(value))


def number_of(value: Any) -> Any:
    """Give the number that order compares: a number itself, or that of decimal digits such as ``0930`` or ``1.50``.

    Returns:
        The number; None for other text and for what cannot be compared.
    """
    if not isinstance(value, str):
        return value if comparable(value) else None
    digits = value.strip()
    if not _NUMERAL.fullmatch(digits):
        return None
    return float(digits) if '.' in digits else int(digits)
