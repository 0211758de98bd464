"""Conditions on metadata, against a plain reading of what they say."""

import operator
import re

from fuzzing import JSON, NUMBERS, REFUSED, TEXTS, attempt, fuzz
from hypothesis import strategies as st
from search.galleries import PRINT, clustered

from mmtbps.search import Condition, ExactIndex, GalleryImage, GalleryStore, RowFilter, parse_where
from mmtbps.search.shards import Shard

ORDERS = {'<': operator.lt, '<=': operator.le, '>': operator.gt, '>=': operator.ge}
SIGNS = ['=', '!=', *ORDERS]
NUMERAL = re.compile(r'[+-]?[0-9]{1,40}(\.[0-9]{1,40})?')
FIELDS = ['camera', 'time', 'Straße', 'a b', '']
VALUES = st.one_of(
    st.integers(-2, 2), NUMBERS, st.sampled_from(['c1', 'c2', '3', '03', '3.0', ' 3', 'true', 'Tür', '']), TEXTS
)
METADATA = st.lists(
    st.dictionaries(st.sampled_from(FIELDS), st.one_of(VALUES, VALUES, JSON), max_size=3), min_size=1, max_size=6
)


def store_of(metadata):
    store = GalleryStore(PRINT)
    images = [GalleryImage(f'/{row}.png', 1, 1, facts) for row, facts in enumerate(metadata)]
    store.append(Shard(clustered(len(images), dim=4), images, PRINT))
    return store


def number(value):
    if not isinstance(value, str):
        return value
    digits = value.strip()
    return None if NUMERAL.fullmatch(digits) is None else float(digits) if '.' in digits else int(digits)


def as_text(value):
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)


def plainly(value, sign, bound):
    """Equality is of what is written, order of numbers or of text; nan, lists and what is missing meet nothing."""
    if not isinstance(value, str | int | float) or value != value:
        return False
    if sign not in ORDERS:
        same = as_text(value) in [as_text(one) for one in (bound if sign == 'in' else [bound])]
        return same != (sign == '!=')
    if number(bound) is not None:
        return number(value) is not None and ORDERS[sign](number(value), number(bound))
    return isinstance(value, str) and ORDERS[sign](value, bound)


@fuzz(
    300,
    metadata=METADATA,
    asked=st.lists(
        st.tuples(st.sampled_from(FIELDS), st.sampled_from([*SIGNS, 'in', '~']), VALUES, st.lists(VALUES, max_size=2)),
        min_size=1,
        max_size=2,
    ),
)
def test_rows_are_those_that_a_plain_reading_gives(metadata, asked):
    store = store_of(metadata)
    asked = [(name, sign, (value, *others) if sign == 'in' else value) for name, sign, value, others in asked]
    names = [
        *(f'condition on {name!r}' for name, *_ in asked),
        *(f'metadata {name!r}' for name, *_ in asked),
        'comparison',
    ]
    row_filter = attempt(lambda: RowFilter(store, [Condition(*one) for one in asked]), *names)
    if row_filter is not REFUSED:
        expected = [
            row
            for row, facts in enumerate(metadata)
            if all(name in facts and plainly(facts[name], sign, value) for name, sign, value in asked)
        ]
        assert row_filter.rows.tolist() == expected
        assert row_filter.count == len(expected)
        (found,) = ExactIndex().search(store, clustered(1, dim=4), len(metadata), row_filter)
        assert sorted(row for row in found.tolist() if row >= 0) == expected


WHERE = st.one_of(
    TEXTS,
    st.builds(
        '{}{}{}{}{}'.format,
        st.sampled_from([*FIELDS, ' camera']),
        st.sampled_from(['', ' ']),
        st.sampled_from([*SIGNS, '==', '~', '=<']),
        st.sampled_from(['', ' ', '\n']),
        VALUES,
    ),
)


@fuzz(
    300,
    where=st.one_of(
        WHERE,
        st.lists(WHERE, max_size=3),
        st.dictionaries(TEXTS, st.one_of(VALUES, st.lists(VALUES, max_size=2)), max_size=2),
        JSON,
    ),
    metadata=METADATA,
)
def test_expressions(where, metadata):
    conditions = attempt(lambda: parse_where(where), 'condition', 'where')
    if conditions is REFUSED:
        return
    for condition in conditions:
        assert condition.sign in (*SIGNS, 'in')
        for facts in metadata:
            value = facts.get(condition.name)
            assert condition.holds(facts) == (
                condition.name in facts and plainly(value, condition.sign, condition.value)
            )
