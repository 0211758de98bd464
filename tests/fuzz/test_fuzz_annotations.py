"""Annotations and tables that anybody may have written."""

import csv
import io
import itertools
import json

import pytest
from fuzzing import JSON, REFUSED, TEXTS, altered_bytes, altered_json, as_json, attempt, fuzz
from hypothesis import strategies as st

from mmtbps.datasets import CUHKPEDES, ICFGPEDES, PersonCaptions, RSTPReid
from mmtbps.datasets.verify import format_report, verify_dataset
from mmtbps.search import MetadataSource


def records(path='file_path'):
    return [
        {'split': split, 'captions': ['A man.', 'In a red coat.'], path: f'{split}/{person}.png', 'id': person}
        for split, person in zip(('train', 'train', 'train', 'val', 'test'), range(5), strict=True)
    ]


READERS = {
    CUHKPEDES: ('reid_raw.json', records(), {}),
    ICFGPEDES: ('ICFG-PEDES.json', [one for one in records() if one['split'] != 'val'], dict(num_val_ids=1)),
    RSTPReid: ('data_captions.json', records('img_path'), {}),
}


def check(data, names):
    """Items are what the base class says that they are."""
    if attempt(data.full_init, *names) is REFUSED:
        return
    persons = set()
    for index in range(len(data)):
        item = data.get_data_info(index)
        captions = item['captions'] if data.test_mode else [item['caption']]
        assert all(isinstance(caption, str) and caption.strip() for caption in captions)
        assert isinstance(item['img_path'], str)
        assert '..' not in item['img_path'].split('/')
        persons.add(item['person_id'])
    assert persons == set(range(data.num_classes))
    assert len(data.person_ids) == len(data)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('annotations')


def read(folder, kind, content, test_mode, split):
    name, _, arguments = READERS[kind]
    (folder / name).write_bytes(content)
    data = kind(
        data_root=str(folder), split=split, test_mode=test_mode, check_images=False, lazy_init=True,
        serialize_data=False, **arguments,
    )  # fmt: skip
    check(data, [name])


@fuzz(
    300,
    case=st.sampled_from(list(READERS)).flatmap(lambda kind: st.tuples(st.just(kind), altered_json(READERS[kind][1]))),
    test_mode=st.booleans(),
    split=st.sampled_from(['train', 'val', 'test']),
)
def test_altered_annotations(folder, case, test_mode, split):
    kind, value = case
    read(folder, kind, as_json(value), test_mode, split)


@fuzz(
    150,
    case=st.sampled_from(list(READERS)).flatmap(
        lambda kind: st.tuples(st.just(kind), altered_bytes(as_json(READERS[kind][1])))
    ),
    test_mode=st.booleans(),
)
def test_altered_files(folder, case, test_mode):
    read(folder, case[0], case[1], test_mode, 'train')


ROWS = [
    ['image', 'caption', 'person_id', 'split'],
    ['a.png', 'A man, in red.', '1', 'train'],
    ['b.png', 'A "woman"\nin blue.', 'p2', 'train'],
    ['a.png', 'His bag is black.', '1', 'train'],
    ['c.png', 'A man.', '3', 'val'],
]


def as_csv(rows):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode('utf-8', 'surrogatepass')


def as_jsonl(rows):
    return b'\n'.join(as_json(row) for row in rows)


LINES = [dict(zip(ROWS[0], row, strict=True)) for row in ROWS[1:]]
tables = st.one_of(
    st.tuples(st.just('t.csv'), altered_bytes(as_csv(ROWS))),
    st.tuples(
        st.just('t.csv'), st.lists(st.lists(TEXTS, max_size=5), max_size=3).map(lambda rows: as_csv(ROWS + rows))
    ),
    st.tuples(st.just('t.jsonl'), altered_bytes(as_jsonl(LINES))),
    st.tuples(
        st.just('t.jsonl'), altered_json(LINES).map(lambda rows: as_jsonl(rows if isinstance(rows, list) else []))
    ),
)


@fuzz(300, table=tables, test_mode=st.booleans(), split_key=st.sampled_from(['split', None, 'caption', 'person_id']))
def test_tables_of_captions(folder, table, test_mode, split_key):
    name, content = table
    (folder / name).write_bytes(content)
    data = PersonCaptions(
        name,
        data_root=str(folder),
        test_mode=test_mode,
        check_images=False,
        lazy_init=True,
        split_key=split_key,
        serialize_data=False,
    )
    check(data, [name])


@fuzz(60, value=altered_json(records()), content=st.one_of(st.none(), altered_bytes(as_json(records()))))
def test_the_check_of_a_data_set_lists_what_reading_refuses(folder, value, content):
    (folder / 'reid_raw.json').write_bytes(as_json(value) if content is None else content)
    data = CUHKPEDES(data_root=str(folder), lazy_init=True)
    report = verify_dataset(data, workers=1)
    assert (
        bool(report['annotation_errors']) == (attempt(lambda: list(data.read_entries()), 'reid_raw.json') is REFUSED)
        or (report['annotation_errors'])
    )
    assert format_report(report).startswith('CUHKPEDES')
    json.dumps(report)


@fuzz(
    150,
    table=st.one_of(
        st.tuples(st.just('m.csv'), altered_bytes(as_csv([['path', 'camera', 'time'], ['a.png', 'c1', '7']]))),
        st.tuples(
            st.just('m.jsonl'),
            altered_json([dict(path='a.png', camera='c1', time=7)]).map(
                lambda rows: as_jsonl(rows if isinstance(rows, list) else [])
            ),
        ),
    ),
    pattern=st.one_of(st.none(), TEXTS, st.just(r'(?P<x>\d+)')),
)
def test_tables_of_metadata(folder, table, pattern):
    name, content = table
    (folder / name).write_bytes(content)
    source = attempt(lambda: MetadataSource(folder / name, pattern), name, 'pattern')
    if source is not REFUSED:
        found = source.of(str(folder / 'a.png'))
        assert all(isinstance(value, str | int | float) for value in found.values())


@fuzz(60, value=JSON, keys=st.permutations(['img_path', 'captions', 'id', 'split']))
def test_anything_else_that_is_json(folder, value, keys):
    pairs = itertools.pairwise(keys)
    for content in (value, [value], [{one: value for one, _ in pairs}]):
        read(folder, RSTPReid, as_json(content), False, 'train')
