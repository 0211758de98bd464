"""What is known of images, and conditions on it."""

import json
import math
import operator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmtbps.search import Condition, MetadataSource, list_gallery, parse_where
from mmtbps.search.facts import number_or_text, written
from mmtbps.search.filters import milvus_metadata, split_where, written_name

SIGNS = {'=': operator.eq, '!=': operator.ne, '<': operator.lt, '<=': operator.le, '>': operator.gt, '>=': operator.ge}


@given(st.sampled_from(sorted(SIGNS)), st.integers(-5, 5), st.one_of(st.integers(-5, 5), st.just('three')))
def test_numbers_are_compared(sign, bound, value):
    (condition,) = parse_where(f'time {sign} {bound}')
    assert condition == Condition('time', sign, bound)
    if sign in ('=', '!='):  # what is written is compared, whatever its kind
        assert condition.holds({'time': value}) == SIGNS[sign](value, bound)
    else:
        assert condition.holds({'time': value}) == (isinstance(value, int) and SIGNS[sign](value, bound))
    assert not condition.holds({'camera': value})


@pytest.mark.parametrize(
    ('where', 'expected', 'expression'),
    [
        ('a = c1', [Condition('a', '=', 'c1')], 'metadata["t61"] == "x6331"'),
        ('a==c 1', [Condition('a', '=', 'c 1')], 'metadata["t61"] == "x632031"'),
        (['a>=1.5', 'b != "c'], [Condition('a', '>=', 1.5), Condition('b', '!=', '"c')],
         'metadata["n61"] >= 1.5 and (metadata["t62"] < "x2263" or metadata["t62"] > "x2263"'
         ' or metadata["n62"] >= -9007199254740992.0)'),
        ({'a': (1, 2), 'ß': 'y'}, [Condition('a', 'in', (1, 2)), Condition('ß', '=', 'y')],
         '(metadata["t61"] == "x31" or metadata["n61"] == 1.0 or metadata["t61"] == "x32" or metadata["n61"] == 2.0)'
         ' and metadata["tc39f"] == "x79"'),
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


@pytest.mark.parametrize('text', ['nan', 'inf', '-Infinity', '1e999', ''])
def test_text_that_python_would_take_for_no_finite_number_stays_text(tmp_path, text):
    (tmp_path / 't.csv').write_text(f'path,camera\na.png,{text}\n')
    found = MetadataSource(tmp_path / 't.csv').of(str(tmp_path / 'a.png'))
    assert found == (dict(camera=text) if text else {})
    if text:
        assert Condition('camera', '=', text).holds(found)
        assert parse_where(f'camera = {text}') == (Condition('camera', '=', text),)


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


WRITTEN = st.text('0123456789.,_+-e xnaif', min_size=1, max_size=5).filter(lambda text: text.strip() and text != 'nan')
IDS = ['0001_02', '0102', '7', '7.0', '007', ' 7', '+7', '1e3', '0x10', '٣', 'inf', 'true', '-0', '-0.0', '9' * 25]


@given(st.lists(WRITTEN | st.sampled_from(IDS), unique=True, max_size=12))
@settings(deadline=None)
def test_each_value_of_a_table_finds_itself_alone(values):
    kept = [number_or_text(value) for value in values]
    assert [written(value) for value in kept] == values
    for number, value in enumerate(values):
        (condition,) = parse_where(f'camera = {value}')
        (other,) = parse_where(f'camera != {value}')
        holds = [condition.holds(dict(camera=one)) for one in kept]
        assert holds == [place == number for place in range(len(values))]
        assert [other.holds(dict(camera=one)) for one in kept] == [not one for one in holds]


@given(st.integers(-999, 999), st.integers(-999, 999), st.integers(0, 3), st.sampled_from(['<', '<=', '>', '>=']))
def test_order_is_that_of_numbers_however_they_are_written(value, bound, digits, sign):
    padded = f'{value:0{digits + 1}d}'
    for stored in (value, float(value), padded, f'{padded}.50'):
        number = value if stored != f'{padded}.50' else float(stored)
        (condition,) = parse_where(f'frame {sign} {bound}')
        assert condition.holds(dict(frame=stored)) == SIGNS[sign](number, bound)
        assert Condition('frame', sign, f'{bound:+05d}').holds(dict(frame=stored)) == SIGNS[sign](number, bound)


KINDS = st.one_of(st.integers(-3, 3), st.sampled_from([7, 7.0, '7', '007', True, 'true', 2**60, 0.1, 'c1']))


@given(KINDS, st.sampled_from([*SIGNS, 'in']), KINDS)
def test_milvus_is_asked_for_all_that_a_condition_holds_of(stored, sign, value):
    condition = Condition('a', sign, (value,) if sign == 'in' else value)
    if condition.expression is None or not (condition.holds(dict(a=stored)) and condition.milvus_sees(stored)):
        return
    names = milvus_metadata(dict(a=stored))
    missing = {f'{kind}61': float('nan') if kind == 'n' else '' for kind in 'nt'}
    expression = condition.expression
    for key, kept in {**missing, **names}.items():
        expression = expression.replace(f'metadata["{key}"]', 'math.nan' if kept != kept else repr(kept))
    assert eval(expression, {'math': math})


@pytest.mark.parametrize(
    ('text', 'near'), [('time => 5', '>='), ('time =<5', '<='), ('camera <> c1', '!='), ('a === b', '=')]
)
def test_signs_of_other_languages_are_no_values(text, near):
    with pytest.raises(ValueError, match=rf'is no comparison, did you mean {near}\?'):
        parse_where(text)
    # Such a value is found behind a blank.
    assert parse_where('time = > 5')[0].value == '> 5'


@pytest.mark.parametrize('bound', ['1e2', '1E+2', '1,000', '.5', '5.', '12,345.5'])
@pytest.mark.parametrize('sign', ['<', '<=', '>', '>='])
def test_an_order_by_a_number_in_another_form_is_refused(bound, sign):
    with pytest.raises(ValueError, match=r'letter by letter; write a number by its digits alone'):
        parse_where(f'v {sign} {bound}')
    assert parse_where(f'v = {bound}')[0].value == bound


@pytest.mark.parametrize('bound', ['2024-01-02', '0930', 'c1', '1.5', '-3', '12:30', '1,2', 'e5'])
def test_other_bounds_stay(bound):
    assert str(parse_where(f'v > {bound}')[0].value) == bound


@given(st.text(), st.sampled_from(sorted(SIGNS)), st.sampled_from([' ', '']))
def test_any_name_can_be_asked_for(name, sign, blank):
    (condition,) = parse_where(f'{written_name(name)}{blank}{sign} 3')
    assert condition == Condition(name, sign, 3)
    line = f'{written_name(name)} {sign} 3, owner = "Smith, John"'
    assert parse_where(split_where(line)) == (condition, Condition('owner', '=', 'Smith, John'))


@pytest.mark.parametrize('name', ['camera', 'camera-no', 'a.b', 'größe_2'])
def test_plain_names_need_no_quotes(name):
    assert written_name(name) == name
    assert split_where(f'{name} = "a, b"') == [f'{name} = a, b']


@pytest.mark.parametrize('where', ['camera id = 3', 'not camera = 3', '"camera = 3', 'camera~=3'])
def test_a_name_with_blanks_is_asked_for_in_quotes(where):
    with pytest.raises(ValueError, match='A name with blanks or signs stands in double quotes: \'"camera id" = 3\''):
        parse_where(where)
