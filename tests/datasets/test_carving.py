"""Splits that are carved out of training identities."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmtbps.datasets import PersonCaptions
from mmtbps.datasets.annotation import ImageEntry
from mmtbps.datasets.carving import carve_splits

PERSONS = st.lists(st.one_of(st.integers(0, 50), st.text('abc', min_size=1, max_size=3)), min_size=1, max_size=30)


def entries_of(persons, split='train'):
    return [ImageEntry(f'{row}.jpg', person, ['a man'], split, f'line {row}') for row, person in enumerate(persons)]


@given(PERSONS, st.integers(0, 6), st.integers(0, 6))
def test_numbers_of_identities_whole_and_apart(persons, num_val, num_test):
    entries, known = entries_of(persons), set(persons)
    if (num_val or num_test) and len(known) <= num_val + num_test:
        with pytest.raises(ValueError, match=r'identities cannot be taken from \d+ training identities'):
            carve_splits(entries, num_val, num_test)
        return
    carved = carve_splits(entries, num_val, num_test)
    assert [entry._replace(split='train') for entry in carved] == entries
    splits = {
        split: {entry.person_id for entry in carved if entry.split == split} for split in ('train', 'val', 'test')
    }
    assert [len(splits[split]) for split in ('val', 'test')] == [num_val, num_test]
    assert sum(map(len, splits.values())) == len(known)
    # Whoever asks for another val keeps the test set, whatever the order of the rows.
    other = carve_splits(entries[::-1], 0, num_test)
    assert {entry.person_id for entry in other if entry.split == 'test'} == splits['test']


@pytest.mark.parametrize('split', ['val', 'test'])
def test_a_split_that_is_there_is_not_added_to(split):
    entries = entries_of(range(5)) + entries_of([7], split)
    with pytest.raises(ValueError, match=f'there already is a {split} split; pass num_{split}_ids=0'):
        carve_splits(entries, **{f'num_{split}_ids': 1})


def write_table(folder, rows, header=('image', 'caption', 'person_id')):
    with open(folder / 'captions.csv', 'w', newline='') as file:
        csv.writer(file).writerows([header, *rows])
    return folder


def test_a_table_without_splits_is_carved(tmp_path):
    write_table(tmp_path, [(f'{n}.jpg', f'person {n}', f'p{n}') for n in range(10)])
    shared = dict(
        ann_file='captions.csv', data_root=str(tmp_path), split_key=None, check_images=False, num_val_ids=2,
        num_test_ids=3,
    )  # fmt: skip
    sets = [PersonCaptions(**shared, split=split, test_mode=split != 'train') for split in ('train', 'val', 'test')]
    assert [len(dataset) for dataset in sets] == [5, 2, 3]
    assert all(dataset.has_all_splits for dataset in sets)
    captions = [c for dataset in sets for i in dataset for c in i.get('captions', [i.get('caption')])]
    assert sorted(captions) == sorted(f'person {n}' for n in range(10))
    with pytest.raises(ValueError, match=r'captions\.csv: 8 validation identities cannot be taken from 7 training'):
        PersonCaptions(**dict(shared, num_val_ids=8))
    assert PersonCaptions(**dict(shared, num_val_ids=0, num_test_ids=0, split='val')).split == 'val'


def test_columns_are_known_before_the_rows(tmp_path):
    write_table(tmp_path, [('0.jpg', 'a man', 'p')])
    table = PersonCaptions('captions.csv', data_root=str(tmp_path), lazy_init=True)
    assert [table.has_column(name) for name in ('caption', 'split')] == [True, False]
    (tmp_path / 'c.jsonl').write_text('\n{"image": "0.jpg", "split": "train"}\n')
    lines = PersonCaptions('c.jsonl', data_root=str(tmp_path), lazy_init=True)
    assert [lines.has_column(name) for name in ('caption', 'split')] == [False, True]
    (tmp_path / 'c.jsonl').write_text('{"image": ')
    assert not lines.has_column('split')
