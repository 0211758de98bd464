"""JSON that anybody may have written."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from .text import printable

__all__ = ['format_json', 'parse_json']

_LARGEST = 2**63


def parse_json(
    text: str | bytes, hook: Callable[[dict], Any] | None = None, finite: bool = True, unique: bool = False
) -> Any:
    """Parse JSON, and say in one sentence what is wrong with it; the caller names the file.

    Args:
        text: The JSON; bytes are UTF-8.
        hook: Called with every object, whose place its result takes. Defaults to None: objects are dictionaries.
        finite: Whether to refuse numbers that JSON does not have: NaN and infinity, by name or by size. Defaults to
            True; files that Python wrote may hold them.
        unique: Whether to refuse an object that has a key twice, of which Python would keep the last. There is no hook
            then. Defaults to False.

    Returns:
        The value.

    Raises:
        ValueError: If the text is no JSON, is nested too deeply for Python, or has whole numbers outside 64 bits.
    """
    hooks: dict[str, Any] = dict(object_pairs_hook=_unique) if unique else dict(object_hook=hook)
    try:
        return json.loads(text, parse_int=_whole, **hooks, **(_FINITE if finite else {}))
    except json.JSONDecodeError as error:
        line = f'line {error.lineno}, ' if '\n' in error.doc.rstrip() else ''
        raise ValueError(f'not valid JSON, {error.msg} at {line}column {error.colno}') from error
    except UnicodeDecodeError as error:
        raise ValueError(f'not valid JSON, since not UTF-8 ({error.reason} at byte {error.start})') from error
    except RecursionError as error:
        raise ValueError('JSON nested too deeply') from error


def format_json(value: Any, indent: int | None = 2) -> str:
    """Write JSON for other programs, which every reader takes.

    Args:
        value: Plain values. Numbers that JSON does not have, NaN and infinity, become null, and text is
            :func:`~mmtbps.core.text.printable`.
        indent: Blanks of a level. Defaults to 2; None writes one line.

    Returns:
        The JSON.
    """
    return json.dumps(_strict(value), indent=indent, allow_nan=False)


def _strict(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {printable(str(key)): _strict(one) for key, one in value.items()}
    return [_strict(one) for one in value] if isinstance(value, list | tuple) else value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f'the key {key!r:.80} is twice in an object; remove one of them')
        found[key] = value
    return found


def _whole(digits: str) -> int:
    # Python refuses thousands of digits itself, but not by the file's name, and torch and NumPy hold 64 bits.
    if len(digits) > 20 or not -_LARGEST <= int(digits) < _LARGEST:
        _refuse(digits)
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _refuse(digits)


def _refuse(number: str) -> NoReturn:
    raise ValueError(f'not valid JSON, {number:.20} is no number that can be stored')


_FINITE: dict[str, Any] = dict(parse_constant=_refuse, parse_float=_finite)
