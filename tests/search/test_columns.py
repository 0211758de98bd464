"""Columns of metadata against conditions that are asked row by row."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from mmtbps.search import GalleryImage
from mmtbps.search.columns import Columns
from mmtbps.search.filters import Condition

VALUES = st.one_of(
    st.integers(-3, 3),
    st.integers(),
    st.sampled_from(
        [2**53, 2**53 + 1, 2.0**53, 0.1, -0.0, math.inf, -math.inf, math.nan, True, None, '', '1', 'ü', 'u']
    ),
    st.floats(),
    st.text(max_size=3),
)
COMPARABLE = VALUES.filter(lambda value: value is not None and value == value)


@st.composite
def conditions(draw):
    sign = draw(st.sampled_from(['=', '!=', '<', '<=', '>', '>=', 'in']))
    value = tuple(draw(st.lists(COMPARABLE, min_size=1, max_size=4))) if sign == 'in' else draw(COMPARABLE)
    return Condition(draw(st.sampled_from('ab')), sign, value)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.dictionaries(st.sampled_from('ab'), VALUES), max_size=12), conditions())
def test_columns_say_what_conditions_say(metadata, condition):
    images = [GalleryImage(f'/{row}.png', 1, 1, facts) for row, facts in enumerate(metadata)]
    columns = Columns(images)
    for _ in range(2):  # made, then kept
        assert columns.meets(condition).tolist() == [condition.holds(facts) for facts in metadata]


def test_integers_that_no_float_is_compare_exactly():
    rows = [2**53 - 1, 2**53, 2**53 + 1, 2**53 + 2]
    columns = Columns([GalleryImage(f'/{row}.png', 1, 1, {'a': row}) for row in rows[2:]])
    for bound in rows:
        assert columns.meets(Condition('a', '<', bound)).tolist() == [row < bound for row in rows[2:]]
    alone = Columns([GalleryImage('/1.png', 1, 1, {'a': 2**53 + 1})])
    assert not alone.meets(Condition('a', '<', 2**53 + 1)).any()


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.just('a'), VALUES), max_size=12))
def test_a_question_about_each_value(metadata):
    columns = Columns([GalleryImage(f'/{row}.png', 1, 1, facts) for row, facts in enumerate(metadata)])
    asked = columns.where('a', lambda value: value in (1, '1'))
    assert asked.tolist() == [facts.get('a') in (1, '1') for facts in metadata]
