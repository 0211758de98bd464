"""Every registered component refuses what it cannot mean, by the argument's name."""

import inspect
import math
from collections.abc import Mapping, Sequence
from numbers import Real
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from mmengine.registry import Registry

import mmtbps.deploy
import mmtbps.engine
import mmtbps.visualization  # noqa: F401  (all rooms register their components)
from mmtbps import registry
from mmtbps.core.arguments import checked
from mmtbps.core.checks import finite, positive

# Their numbers may be negative.
ANY_NUMBER = {'positive_margin', 'negative_margin', 'mean', 'std', 'erase_value', 'hit_threshold'}
BAD = {
    float: [math.nan, math.inf, -math.inf, 'text', True, None, [1.0], -0.5],
    int: [math.nan, math.inf, 1.5, 'text', True, None, [1], -2],
    bool: ['text', 1, None, math.nan],
    str: [1, math.nan, True, None, ['text']],
    dict: [1, 'text', math.nan, True, None],
    list: [1, 'text', math.nan, True, None],
}


def kinds_of(hint):
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return [get_origin(kind) or kind for kind in kinds], kinds


def bad_values(name, hint):
    """Values that an argument of this annotation cannot mean."""
    plain, kinds = kinds_of(hint)
    plain = [{Mapping: dict, Sequence: list, tuple: list}.get(kind, kind) for kind in plain]
    if not set(plain) <= {*BAD, NoneType}:
        return
    numbers = set(plain) & {int, float}
    for value in (value for kind in plain if kind is not NoneType for value in BAD[kind]):
        meant = type(value) in plain and not (isinstance(value, Real) and not isinstance(value, bool))
        meant |= float in plain and type(value) is int
        if (value is None and NoneType in plain) or meant:
            continue
        if isinstance(value, Real) and value == -0.5 and name in ANY_NUMBER:
            continue
        yield value
    if list in plain and not numbers:
        inner = get_args(kinds[plain.index(list)])
        if inner and inner[0] in (int, float):
            yield from ([value] for value in (math.nan, math.inf, 'text', True, None))
            if name not in ANY_NUMBER:
                yield [-1]


def components():
    for found in vars(registry).values():
        for kind in found.module_dict.values() if isinstance(found, Registry) else ():
            if kind.__module__.startswith('mmtbps') and '__init__' in vars(kind):
                yield kind


def cases():
    for kind in components():
        hints = get_type_hints(kind.__init__)
        for name, parameter in inspect.signature(kind).parameters.items():
            variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            if (
                name in hints
                and not variadic
                and name != 'init_cfg'
                and any(True for _ in bad_values(name, hints[name]))
            ):
                yield pytest.param(kind, name, hints[name], id=f'{kind.__name__}-{name}')


@pytest.mark.parametrize(('kind', 'name', 'hint'), cases())
def test_no_component_takes_what_it_cannot_mean(kind, name, hint):
    for value in bad_values(name, hint):
        with pytest.raises((TypeError, ValueError), match=f'^(every part of )?{name} must '):
            kind(**{name: value})


def test_the_walk_finds_the_components():
    names = {kind.__name__ for kind in components()}
    assert {'AlignmentHead', 'CMPMHead', 'ContrastiveHead', 'PartPooling', 'CLIPTokenizer', 'QueueStatusHook'} <= names
    assert len(list(cases())) > 150


@checked(size=positive, mean=finite)
def function(
    size: int,
    weight: float | str = 1.0,
    mean: Sequence[float] = (),
    options: dict | None = None,
    *rest: int,
    other: Any = 0,
) -> tuple:
    """Something."""
    return size, weight, mean, options, rest, other


def test_what_is_meant_passes():
    assert function(1) == (1, 1.0, (), None, (), 0)
    assert function(np.int64(2), 'auto', [-1, 0.5], {'a': 1}, -5, other=math.nan)[:3] == (2, 'auto', [-1, 0.5])
    assert function(1, 3)[1] == 3
    assert inspect.signature(function).parameters['size'].annotation is int
    assert function.__doc__ == 'Something.'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(size=0), 'size must be at least 1, got 0.'),
        (dict(size=True), 'size must be a whole number, got True.'),
        (dict(weight=None), 'weight must be a number or text, got None.'),
        (dict(weight=-1), 'weight must not be negative, got -1.'),
        (dict(mean=[0, math.inf]), 'every part of mean must be a finite number, got inf.'),
        (dict(mean='0.5'), "mean must be a list, got '0.5'."),
        (dict(options=[1]), 'options must be a dictionary or None, got [1].'),
        (dict(), "function() missing 1 required positional argument: 'size'"),
        (dict(sise=1), "function() got an unexpected keyword argument 'sise'"),
    ],
)
def test_what_is_not_meant_is_told(arguments, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        function(**arguments)
    assert str(caught.value) == message
