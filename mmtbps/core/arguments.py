"""Arguments of public constructors and functions, checked against their annotations."""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from .checks import not_negative, shown

__all__ = ['checked']

_Function = TypeVar('_Function', bound=Callable[..., Any])
_Rule = Callable[[Any, str], Any]
_WORDS = {bool: 'True or False', int: 'a whole number', float: 'a number', str: 'text', NoneType: 'None'}
_NUMBERS: dict[Any, type] = {bool: bool, int: Integral, float: Real}
_SEVERAL = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
# MMEngine checks it.
_FOREIGN = frozenset({'self', 'init_cfg'})


def checked(**rules: _Rule) -> Callable[[_Function], _Function]:
    """Refuse arguments of other types than those annotated, numbers that are not finite, and those out of range.

    Configs are written by hand, and Python takes most mistakes in silence: ``interval=nan`` never comes,
    ``loss_weight=-1`` maximises a loss, ``True`` is a 1, a text is a sequence of letters.

    Args:
        **rules: For parameters whose numbers have another range than "not negative": a function of the number and the
            parameter's name that raises, such as :func:`~mmtbps.core.checks.positive`. In sequences it is for every
            number.

    Returns:
        A decorator; what it decorates keeps its signature and raises TypeError or ValueError by the parameter's name
        before it does anything else.
    """

    def decorate(function: _Function) -> _Function:
        signature = inspect.signature(function)
        hints = cache(lambda: get_type_hints(function))

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                given = signature.bind_partial(*args, **kwargs).arguments
            except TypeError:
                given = {}  # Python's own message follows
            for name, value in given.items():
                if name in hints() and name not in _FOREIGN and signature.parameters[name].kind not in _SEVERAL:
                    _check(value, hints()[name], name, rules.get(name, not_negative))
            return function(*args, **kwargs)

        return call  # type: ignore[return-value]

    return decorate


def _check(value: Any, hint: Any, name: str, rule: _Rule) -> None:
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kind = next((kind for kind in kinds if _is(value, kind)), None)
    if kind is None:
        words = list(dict.fromkeys(_word(kind) for kind in kinds))
        raise TypeError(f'{name} must be {" or ".join(words)}, got {shown(value)}.')
    if kind in (int, float):
        rule(value, name)
    elif _is_sequence(kind) and get_args(kind):
        for part in value:
            _check(part, get_args(kind)[0], f'every part of {name}', rule)


def _is(value: Any, kind: Any) -> bool:
    if kind in (bool, int, float) and isinstance(value, bool):
        return kind is bool
    if kind in _NUMBERS:
        return isinstance(value, _NUMBERS[kind])
    if kind is str:
        return isinstance(value, str | os.PathLike)
    if _is_sequence(kind):  # a tuple of a config file may be a list in another one
        return isinstance(value, Sequence) and not isinstance(value, str | bytes)
    if (get_origin(kind) or kind) in (dict, Mapping):
        return isinstance(value, Mapping)
    if kind in (NoneType, Any):
        return value is None or kind is Any
    return value is not None  # what looks like the class may do as well


def _is_sequence(kind: Any) -> bool:
    return (get_origin(kind) or kind) in (Sequence, list, tuple)


def _word(kind: Any) -> str:
    if kind in _WORDS:
        return _WORDS[kind]
    if _is_sequence(kind):
        return 'a list'
    kind = get_origin(kind) or kind
    return 'a dictionary' if kind in (dict, Mapping) else f'a {getattr(kind, "__name__", kind)}'
