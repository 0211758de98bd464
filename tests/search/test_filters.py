"""What is known of images, and conditions on it."""

import json
import math
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmtbps.search import Condition, MetadataSource, list_gallery, parse_where

SIGNS = {'=': operator.eq, '!=': operator.ne, '<': operator.lt, '<=': operator.le, '>': operator.gt, '>=': operator.ge}


@given(st.sampled_from(sorted(SIGNS)), st.integers(-5, 5), st.one_of(st.integers(-5, 5), st.just('three')))
def test_numbers_are_compared(sign, bound, value):
    (condition,) = parse_where(f'time {sign} {bound}')
    assert condition == Condition('time', sign, bound)
    assert condition.holds({'time': value}) == (isinstance(value, int) and SIGNS[sign](value, bound))
    assert not condition.holds({'camera': value})


@pytest.mark.parametrize(
    ('where', 'expected', 'expression'),
    [
        ('a = c1', [Condition('a', '=', 'c1')], 'metadata["t61"] == "x6331"'),
        ('a==c 1', [Condition('a', '=', 'c 1')], 'metadata["t61"] == "x632031"'),
        (['a>=1.5', 'b != "c'], [Condition('a', '>=', 1.5), Condition('b', '!=', '"c')],
         'metadata["n61"] >= 1.5 and (metadata["t62"] < "x2263" or metadata["t62"] > "x2263")'),
        ({'a': (1, 2), 'ß': 'y'}, [Condition('a', 'in', (1, 2)), Condition('ß', '=', 'y')],
         '(metadata["n61"] == 1.0 or metadata["n61"] == 2.0) and metadata["tc39f"] == "x79"'),
        (None, [], ''),
    ],
)  # fmt: skip
def test_conditions_are_read_and_written_for_milvus(where, expected, expression):
    conditions = parse_where(where)
    assert list(conditions) == expected
    assert ' and '.join(condition.expression for condition in conditions) == expression


@pytest.mark.parametrize(
    'where',
    ['camera', 'camera ~ c1', '= 3', {'camera': []}, {'camera': None}, {'time': math.nan}, {'time': [1, math.nan]}],
)
def test_what_is_no_condition_is_refused(where):
    with pytest.raises(ValueError, match=r'is not a condition|empty list of values|compares with (None|nan); give'):
        parse_where(where)


def test_metadata_come_from_table_and_path(crops, tmp_path):
    table = tmp_path / 'metadata.jsonl'
    rows = [dict(image='crops/cam1/p2_t10.png', colour='red, green', time=7), dict(image='/elsewhere.png', colour='b')]
    table.write_text('\n'.join(map(json.dumps, rows)))
    source = MetadataSource(table, r'p(?P<person>\d+)_t(?P<time>\d+)|x(?P<never>y)')
    metadata = {image.path: image.metadata for image in list_gallery(crops, source)}
    assert metadata[str(crops / 'cam1' / 'p2_t10.png')] == dict(folder='cam1', person=2, time=7, colour='red, green')
    assert metadata[str(crops / 'cam0' / 'p2_t0.png')] == dict(folder='cam0', person=2, time=0)


@pytest.mark.parametrize(
    ('name', 'text', 'match'),
    [
        ('t.csv', 'name,camera\na.png,c1\n', r't.csv, line 2: no path'),
        ('t.csv', 'path,camera\na.png,c1,x\n', r't.csv, line 2: more fields'),
        ('t.jsonl', '{"path": "a"}\n{', r't.jsonl, line 2: not valid JSON'),
        ('t.jsonl', '[1]', r't.jsonl, line 1: expected a JSON object'),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path, name, text, match):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=match):
        MetadataSource(tmp_path / name)


@pytest.mark.parametrize('text', ['nan', 'inf', '-Infinity', '1e999', ''])
def test_text_that_python_would_take_for_no_finite_number_stays_text(tmp_path, text):
    (tmp_path / 't.csv').write_text(f'path,camera\na.png,{text}\n')
    found = MetadataSource(tmp_path / 't.csv').of(str(tmp_path / 'a.png'))
    assert found == (dict(camera=text) if text else {})
    if text:
        assert Condition('camera', '=', text).holds(found)
        assert parse_where(f'camera = {text}') == (Condition('camera', '=', text),)


def test_patterns_and_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(ValueError, match='is not a regular expression'):
        MetadataSource(pattern='(')
    with pytest.raises(ValueError, match='no named group'):
        MetadataSource(pattern='a')
    with pytest.raises(FileNotFoundError, match=r'no table .*none.csv'):
        MetadataSource(tmp_path / 'none.csv')


def test_listing_takes_images_alone_in_order(crops):
    for name in ('cam0/notes.txt', 'cam0/._p0.png', '.thumbs/p.png', 'cam2/UPPER.JPG'):
        (crops / name).parent.mkdir(exist_ok=True)
        (crops / name).write_bytes(b'x')
    found = [image.path.removeprefix(f'{crops}/') for image in list_gallery(crops)]
    assert len(found) == 13
    assert found == sorted(found)
    assert 'cam2/UPPER.JPG' in found
    twice = list_gallery([crops / 'cam2' / 'UPPER.JPG', crops / 'cam0' / '..' / 'cam2' / 'UPPER.JPG'])
    assert [image.metadata for image in twice] == [dict(folder='cam2')]
    with pytest.raises(FileNotFoundError, match=r'no image .*missing.png'):
        list_gallery([crops / 'missing.png'])
