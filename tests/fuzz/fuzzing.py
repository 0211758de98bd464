"""Cases without end: every one gives a right result or one clear error of ours.

``MMTBPS_FUZZ_FACTOR=10 python -m pytest tests/fuzz`` runs ten times as many cases, other ones each time.
"""

import functools
import json
import math
import os
import re
import traceback
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mmtbps

FACTOR = int(os.environ.get('MMTBPS_FUZZ_FACTOR', '1'))
REFUSED = object()
"""What :func:`attempt` gives instead of a result."""

cases = {'run': 0, 'refused': 0}

_PACKAGE = str(Path(mmtbps.__file__).parent)
# Their subclasses are not among them: a UnicodeDecodeError or JSONDecodeError comes from the depths.
_KINDS = {ValueError, TypeError, OSError, FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError,
          PermissionError, ImportError}  # fmt: skip


def fuzz(examples, **strategies):
    """Run a test on so many cases: the same ones in every CI run, unless there is a factor."""

    def decorate(test):
        @functools.wraps(test)
        def counted(*args, **kwargs):
            cases['run'] += 1
            return test(*args, **kwargs)

        return settings(
            max_examples=examples * FACTOR, derandomize=FACTOR == 1, database=None, deadline=None,
            suppress_health_check=list(HealthCheck),
        )(given(**strategies)(counted))  # fmt: skip

    return decorate


def assert_ours(error, *names):
    """An error that the package means, which says what is wrong: one of the names stands in it."""
    shown = ''.join(traceback.format_exception(error))
    raised = traceback.extract_tb(error.__traceback__)[-1].filename
    meant = type(error) in _KINDS or type(error).__module__.startswith('mmtbps.')
    # RuntimeError is torch's word too.
    meant |= type(error) is RuntimeError and raised.startswith(_PACKAGE)
    assert meant, shown
    text = str(error)
    named = any(re.search(rf'(?<!\w){re.escape(str(name))}(?!\w)', text) for name in names)
    assert named, f'{names} are not in the message.\n{shown}'
    assert '\n' not in text.strip(), shown
    assert len(text) < 2000, shown


def attempt(call, *names):
    """Call; return the result, or ``REFUSED`` after an error of ours that has one of the names in it."""
    try:
        return call()
    except Exception as error:
        cases['refused'] += 1
        assert_ours(error, *names)
        return REFUSED


TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ['', ' ', '\t\n', '\x00', '\ud800', '\ufeff', '💃🏽', 'ß', 'İ', '\u202e', 'a' * 500, '../x', '/etc/passwd',
         'nan', 'train', '1e999', '<pad>', '<unk>', 'C:\\x', '%s%n', '{0}', "'", '"', '\u2028', 'a\rb']
    ),
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.sampled_from([2**31, 2**63, -(2**63) - 1, 10**30, math.nan, math.inf, -math.inf, 1e308, -0.0]),
)
JSON = st.recursive(
    st.one_of(st.none(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)


@st.composite
def one_odd(draw, fitting, **odd):
    """Arguments that fit together, half of the time with one of them replaced by something odd."""
    arguments = draw(fitting)
    if draw(st.booleans()):
        name = draw(st.sampled_from(sorted(odd)))
        arguments = {**arguments, name: draw(odd[name])}
    return arguments


def _places(value, path=()):
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from _places(child, (*path, key))


def _changed(value, path, change):
    if not path:
        return change(value)
    copy = value.copy()
    copy[path[0]] = _changed(value[path[0]], path[1:], change)
    return copy


@st.composite
def altered_json(draw, value, most=3):
    """The value with one to some of its parts replaced, removed, doubled, renamed or moved."""
    for _ in range(draw(st.integers(1, most))):
        places = list(_places(value))
        path = draw(st.sampled_from(places))
        other = draw(st.sampled_from(places))
        kind = draw(st.sampled_from(['replace', 'replace', 'replace', 'near', 'remove', 'wrap', 'move', 'add']))
        if kind == 'remove' and path:
            value = _changed(value, path[:-1], lambda node, key=path[-1]: _without(node, key))
        elif kind == 'near':
            value = _changed(value, path, lambda old: draw(_near(old)))
        elif kind == 'wrap':
            value = _changed(value, path, lambda old: draw(st.sampled_from([[old], {'x': old}, [old, old]])))
        elif kind == 'move':
            moved = functools.reduce(lambda node, key: node[key], other, value)
            value = _changed(value, path, lambda old, moved=moved: moved)
        elif kind == 'add':
            value = _changed(value, path, lambda old: _with(old, draw(TEXTS), draw(JSON)))
        else:
            value = _changed(value, path, lambda old: draw(JSON))
    return value


def _without(node, key):
    return {k: v for k, v in node.items() if k != key} if isinstance(node, dict) else node[:key] + node[key + 1 :]


def _with(node, key, value):
    return {**node, key: value} if isinstance(node, dict) else [*node, value] if isinstance(node, list) else node


def _near(value):
    """Values of the same kind."""
    if isinstance(value, bool) or value is None:
        return st.sampled_from([True, False, None])
    if isinstance(value, int | float):
        return NUMBERS
    return TEXTS if isinstance(value, str) else st.just(type(value)())


@st.composite
def altered_bytes(draw, content, most=4):
    """The bytes cut short, altered, with some more or fewer."""
    content = bytearray(content)
    for _ in range(draw(st.integers(1, most))):
        start = draw(st.integers(0, max(0, len(content) - 1)))
        kind = draw(st.sampled_from(['cut', 'flip', 'flip', 'flip', 'drop', 'insert', 'zero', 'repeat']))
        if kind == 'cut':
            del content[start:]
        elif kind == 'flip' and content:
            content[start] ^= draw(st.integers(1, 255))
        elif kind == 'drop':
            del content[start : start + draw(st.integers(1, 64))]
        elif kind == 'insert':
            content[start:start] = draw(st.binary(min_size=1, max_size=32))
        elif kind == 'zero':
            end = min(len(content), start + draw(st.integers(1, 64)))
            content[start:end] = bytes(end - start)
        elif kind == 'repeat':
            content[start:start] = content[start : start + 32]
    return bytes(content)


def as_json(value):
    """The bytes of a JSON file, with the lone surrogates that Python's JSON knows."""
    return json.dumps(value).encode()
