"""Identities keep their kind: a number and a text of the same spelling are not two persons in silence."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmtbps.datasets import ImageEntry, PersonCaptions, verify_dataset
from mmtbps.datasets.annotation import alike_identities, mixed_identities


def entries_of(ids):
    return [ImageEntry(f'{i}.jpg', person, ['a'], 'train', f'line {i + 1}') for i, person in enumerate(ids)]


def write(folder, rows):
    records = [dict(image=f'{i}.jpg', caption='a coat', person_id=p, split=s) for i, (p, s) in enumerate(rows)]
    (folder / 'table.jsonl').write_text('\n'.join(map(json.dumps, records)))
    return dict(ann_file='table.jsonl', data_root=str(folder), check_images=False)


IDS = st.lists(st.integers(-3, 3) | st.integers(-3, 3).map(str) | st.sampled_from(['a', 'p1', '03']), max_size=12)


@given(IDS)
def test_every_identity_of_both_kinds_is_named_once(ids):
    both = {str(person) for person in ids if isinstance(person, int)} & {p for p in ids if isinstance(p, str)}
    messages = list(mixed_identities(entries_of(ids)))
    assert len(messages) == len(both)
    for message in messages:
        assert message.startswith('line ')
        assert ' and line ' in message


@pytest.mark.parametrize('split', ['train', 'test'])
def test_a_data_set_is_refused_also_across_splits(tmp_path, split):
    settings = write(tmp_path, [(1, 'train'), ('1', 'test'), (2, 'train'), ('b', 'test')])
    with pytest.raises(ValueError, match=r"line 1 and line 2: the person is 1 in one and '1' in the other"):
        list(PersonCaptions(split=split, test_mode=split == 'test', **settings))
    report = verify_dataset(PersonCaptions(lazy_init=True, **settings))
    assert report['broken']
    assert 'line 1 and line 2' in report['annotation_errors'][0]


def test_spellings_of_one_number_are_remarked(tmp_path):
    assert alike_identities(entries_of(['3', '03', '3.0', '4', 'p3', '+4'])) == ["'3', '03', '3.0'", "'4', '+4'"]
    report = verify_dataset(PersonCaptions(lazy_init=True, **write(tmp_path, [('3', 'train'), ('03', 'test')])))
    assert report['alike_identities'] == ["'3', '03'"]
    assert not report['annotation_errors']
