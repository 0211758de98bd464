import json

import pytest

from mmtbps.datasets import ICFGPEDES


@pytest.fixture
def entries():
    return [
        dict(
            split='train' if person < 20 else 'test',
            captions=[f'Person {person} walks, view {view}.'],
            file_path=f'{"train" if person < 20 else "test"}/{person:04d}/{person:04d}_{view}.png',
            processed_tokens=[[]],
            id=person,
        )
        for view in range(2)
        for person in range(26)
    ]


@pytest.fixture
def root(tmp_path, write_json, entries):
    return write_json(tmp_path, entries, name='ICFG-PEDES.json')


def ids_of(root, split, **args):
    dataset = ICFGPEDES(data_root=str(root), split=split, **args)
    return set(dataset.metainfo['person_ids']), len(dataset)


@pytest.mark.parametrize('num_val_ids', [1, 5, 19])
def test_val_is_carved_out_of_train_by_identity(root, num_val_ids):
    train, train_pairs = ids_of(root, 'train', num_val_ids=num_val_ids)
    val, val_pairs = ids_of(root, 'val', num_val_ids=num_val_ids)
    test, test_pairs = ids_of(root, 'test', num_val_ids=num_val_ids)
    assert len(val) == num_val_ids
    assert train | val == set(range(20))
    assert not train & val
    assert test == set(range(20, 26))
    assert (train_pairs, val_pairs, test_pairs) == (2 * len(train), 2 * num_val_ids, 12)


def test_the_choice_is_the_same_in_every_order_and_grows(root, entries):
    five, _ = ids_of(root, 'val', num_val_ids=5)
    (root / 'ICFG-PEDES.json').write_text(json.dumps(entries[::-1]))
    assert ids_of(root, 'val', num_val_ids=5)[0] == five
    assert five < ids_of(root, 'val', num_val_ids=6)[0]
    # A fixed expectation: results on val must stay comparable from release to release.
    assert five == {1, 9, 13, 14, 18}


def test_no_val_split_on_request(root):
    assert ids_of(root, 'train', num_val_ids=0) == (set(range(20)), 40)
    with pytest.raises(ValueError, match="no entries of the split 'val'"):
        ICFGPEDES(data_root=str(root), split='val', num_val_ids=0)


@pytest.mark.parametrize('num_val_ids', [20, 200])
def test_train_cannot_be_emptied(root, num_val_ids):
    with pytest.raises(ValueError, match=f'{num_val_ids} validation identities cannot be taken from 20'):
        ICFGPEDES(data_root=str(root), num_val_ids=num_val_ids)


def test_a_negative_number_is_refused(root):
    with pytest.raises(ValueError, match='num_val_ids must not be negative, got -1'):
        ICFGPEDES(data_root=str(root), num_val_ids=-1)


def test_an_own_val_split_is_not_mixed_with_a_carved_one(root, entries):
    entries[0]['split'] = 'val'
    (root / 'ICFG-PEDES.json').write_text(json.dumps(entries))
    with pytest.raises(ValueError, match='there already is a val split; pass num_val_ids=0'):
        ICFGPEDES(data_root=str(root), num_val_ids=5)
    assert ids_of(root, 'val', num_val_ids=0) == ({0}, 1)


def test_both_file_names(root):
    (root / 'ICFG-PEDES.json').rename(root / 'ICFG_PEDES.json')
    dataset = ICFGPEDES(data_root=str(root), num_val_ids=5)
    assert dataset.ann_file == str(root / 'ICFG_PEDES.json')
    (root / 'ICFG_PEDES.json').unlink()
    with pytest.raises(FileNotFoundError, match=r'ICFG-PEDES\.json does not exist.*or ICFG_PEDES\.json'):
        ICFGPEDES(data_root=str(root))
