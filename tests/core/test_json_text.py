import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmtbps.core.json_text import format_json, parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


@given(VALUES, st.booleans())
def test_what_json_holds_is_read(value, indented):
    text = json.dumps(value, indent=1 if indented else None)
    assert parse_json(text) == parse_json(text.encode()) == value


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('', 'not valid JSON, Expecting value at column 1'),
        ('{"a": 1,\n "b" 2}', 'at line 2, column 6'),
        (b'"\xff"', 'not UTF-8'),
        ('[' * 100_000, 'nested too deeply'),
        ('{"a":' * 5_000 + '1' + '}' * 5_000, 'nested too deeply'),
        ('9223372036854775808', '9223372036854775808 is no number that can be stored'),
        ('-9223372036854775809', 'no number that can be stored'),
        ('9' * 5_000, '99999999999999999999 is no number'),
        ('[1e999]', '1e999 is no number'),
        ('NaN', 'NaN is no number'),
        ('{"a": -Infinity}', '-Infinity is no number'),
    ],
)
def test_what_cannot_be_read_is_told_in_one_sentence(text, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        parse_json(text)
    assert type(caught.value) is ValueError
    assert '\n' not in str(caught.value)


def test_files_of_our_own_may_hold_what_python_writes():
    assert parse_json('[Infinity, -Infinity]', finite=False) == [math.inf, -math.inf]
    assert math.isnan(parse_json('NaN', finite=False))


def test_objects_can_be_replaced():
    assert parse_json('{"a": {"b": 1}}', hook=lambda found: sorted(found)) == ['a']


@given(VALUES)
def test_a_key_twice_can_be_refused(value):
    assert parse_json(json.dumps(value), unique=True) == value
    text = f'[{{"b": 1, "a": {json.dumps(value)}, "a": 2}}]'
    assert parse_json(text) == [dict(b=1, a=2)]
    with pytest.raises(ValueError, match="the key 'a' is twice in an object"):
        parse_json(text, unique=True)


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text()
    | st.text(st.characters(categories=['Cs', 'L'])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
))  # fmt: skip
def test_what_is_written_for_others_every_reader_takes(value):
    text = format_json(value)
    text.encode()
    read = parse_json(text)
    assert format_json(read) == text
    assert json.loads(text, parse_constant=pytest.fail) == read


def test_numbers_that_json_lacks_become_null():
    assert format_json([math.nan, -math.inf, 0.5, ('\udcd0\ud83d',)], None) == '[null, null, 0.5, ["\\\\xd0\\\\ud83d"]]'
