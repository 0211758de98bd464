"""Identities of one kind, and paths that were written elsewhere."""

import json
import os

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmtbps.datasets import CUHKPEDES, PersonCaptions
from mmtbps.datasets.annotation import ImageEntry
from mmtbps.datasets.identities import similar_identities, two_kinds
from mmtbps.datasets.places import nested_hint, with_slashes
from mmtbps.datasets.verify import format_report, verify_dataset, verify_together

PNG = cv2.imencode('.png', np.zeros((8, 4, 3), np.uint8))[1].tobytes()
again = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def entries_of(ids):
    return [ImageEntry(f'{n}.png', one, ['a man'], 'train', f'entry {n}') for n, one in enumerate(ids)]


def own_data(root, ids, splits=None, paths=None):
    """A JSONL of images, one per identity."""
    rows, splits = [], splits or ['test'] * len(ids)
    for number, person in enumerate(ids):
        name = f'{number}.png' if paths is None else paths[number]
        file = root / 'imgs' / name.replace('\\', '/')
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(PNG)
        rows.append(
            dict(image=name, caption=f'a man {number}', person_id=person, split=(splits or ['test'] * 99)[number])
        )
    (root / 'own.jsonl').write_text('\n'.join(map(json.dumps, rows)))
    return PersonCaptions('own.jsonl', data_root=str(root), split='test', test_mode=True, lazy_init=True)


@given(st.lists(st.integers(-3, 3) | st.sampled_from(['-1', '0', '1', '2', '01', 'p1'])))
@again
def test_an_identity_of_two_kinds_is_told_with_both_entries(ids):
    told = list(two_kinds(entries_of(ids)))
    kinds = {one: {type(other) for other in ids if str(other) == str(one)} for one in map(str, ids)}
    assert bool(told) == any(len(found) == 2 for found in kinds.values())
    for message in told:
        first, second = (int(part) for part in message.replace(':', '').split()[1:5:3])
        assert str(ids[first]) == str(ids[second])
        assert {type(ids[first]), type(ids[second])} == {int, str}


@pytest.mark.parametrize('ids', [[1, '1', 2, 2], ['7', 3, 7, 'p'], [0, 4, 5, '0']])
def test_a_data_set_with_such_an_identity_is_refused_and_a_fault(tmp_path, ids):
    dataset = own_data(tmp_path, ids, ['train', 'train', 'test', 'test'])
    with pytest.raises(ValueError, match=r'own.jsonl: line \d and line \d: the identity .* Write all identities'):
        dataset.full_init()
    report = verify_dataset(dataset, workers=1)
    assert report['broken']
    assert 'one is a number and one a text' in report['annotation_errors'][0]


def test_numbers_beside_other_texts_are_persons(tmp_path):
    dataset = own_data(tmp_path, [1, 'p1', 2])
    dataset.full_init()
    assert dataset.num_classes == 3


def test_splits_are_compared_as_identities_are_written(tmp_path):
    report = verify_dataset(own_data(tmp_path, [3, '3', '3.0', '03', 'B'], ['train', 'test', 'test', 'test', 'val']), 1)
    assert report['persons_in_several_splits'] == [dict(person_id=3, splits=['test', 'train'])]
    assert report['similar_identities'] == [dict(person_ids=['3', '3.0', '03'])]
    assert 'identities that are written differently but may be one' in format_report(report)


@given(st.integers(0, 99), st.integers(0, 3), st.integers(0, 2))
@again
def test_other_ways_to_write_a_number_are_similar(number, zeros, decimals):
    texts = [str(number), '0' * zeros + str(number), f'{number}.' + '0' * decimals, f'{number}.5', f'x{number}']
    alike = list(dict.fromkeys(texts[:3]))
    assert similar_identities(entries_of(texts)) == ([alike] if len(alike) > 1 else [])
    assert similar_identities(entries_of(['P1', 'p1', 'Q'])) == [['P1', 'p1']]


@pytest.mark.parametrize(
    ('written', 'also'),
    [
        ('3', '3\u200b'), ('3', '\ufeff3'), ('p1', 'p\u200d1'), ('3', '\u0663'), ('1000', '1e3'), ('1000', '1_000'),
        ('1000', '1,000'), ('0', '-0'), ('p-1', 'p\u20111'), ('3.50', '3.5'), ('id 1', 'id  1'), ('-3', '\u22123'),
    ],
)  # fmt: skip
def test_ways_to_write_one_identity(written, also):
    assert similar_identities(entries_of([written, also])) == [[written, also]]


@pytest.mark.parametrize('ids', [['12', '1,2'], ['1', '-1'], ['3.5', '35'], ['a1', 'a2'], ['9' * 40, '9' * 39 + '8']])
def test_other_identities_are_not_similar(ids):
    assert similar_identities(entries_of(ids)) == []


def test_splits_in_files_of_their_own_are_compared(tmp_path):
    datasets = []
    for split, ids in (('train', [1, 2]), ('test', [1, '02'])):
        own_data(tmp_path, ids, [split] * 2)
        (tmp_path / 'own.jsonl').rename(tmp_path / f'{split}.jsonl')
        datasets.append(
            PersonCaptions(f'{split}.jsonl', data_root=str(tmp_path), split=split, split_key=None, lazy_init=True)
        )
    (report,) = verify_together(datasets)
    assert report['persons_in_several_splits'] == [dict(person_id=1, splits=['test', 'train'])]
    assert report['similar_identities'] == [dict(person_ids=['2', '02'])]
    assert not report['broken']
    assert 'persons in more than one split' in format_report(report)
    assert verify_together(datasets[:1]) == []
    for one in (1, '1'):
        own_data(tmp_path, [one], ['train' if one == 1 else 'test'])
        (tmp_path / 'own.jsonl').rename(tmp_path / f'{"train" if one == 1 else "test"}.jsonl')
    (report,) = verify_together(datasets)
    assert report['broken']
    assert 'train.jsonl, line 1 and' in report['annotation_errors'][0]


def test_verify_says_where_missing_images_may_be(tmp_path):
    dataset = own_data(tmp_path, [1, 2])
    (tmp_path / 'imgs').rename(tmp_path / 'away')
    (tmp_path / 'imgs').mkdir()
    (tmp_path / 'away').rename(tmp_path / 'imgs' / 'imgs')
    assert f'There is 0.png in {tmp_path}/imgs/imgs' in format_report(verify_dataset(dataset, workers=1))


NAMES = st.lists(st.sampled_from(['a', 'cam 1', 'Ü', 'x.y']), min_size=1, max_size=3).map('\\'.join)


@given(st.lists(NAMES, unique=True, min_size=1, max_size=4))
@again
def test_paths_of_windows_are_read(tmp_path_factory, names):
    root = tmp_path_factory.mktemp('own')
    paths = [f'{name}\\{number}.png' for number, name in enumerate(names)]
    dataset = own_data(root, ['p'] * len(paths), paths=paths)
    dataset.full_init()
    for number, path in enumerate(paths):
        assert dataset.get_data_info(number)['img_path'] == f'{root}/imgs/' + path.replace('\\', '/')
    assert verify_dataset(dataset, workers=1)['missing_images'] == []


def test_names_with_backslashes_stay(tmp_path):
    (tmp_path / 'a\\0.png').write_bytes(PNG)
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a' / '1.png').write_bytes(PNG)
    entries = [ImageEntry(f'a\\{number}.png', 1, [], 'train', '') for number in range(2)]
    assert [entry.img_path for entry in with_slashes(str(tmp_path), entries)] == ['a\\0.png', 'a/1.png']


def test_one_image_with_both_slashes_is_one_image(tmp_path):
    dataset = own_data(tmp_path, ['p', 'p'], paths=['a\\b.png', 'a/b.png'])
    assert len(dataset) == 1
    assert len(dataset.get_data_info(0)['captions']) == 2


def test_images_and_annotations_one_folder_deeper_are_found(tmp_path, cuhk_root):
    outer = tmp_path / 'outer'
    outer.mkdir()
    inner = outer / 'CUHK-PEDES'
    cuhk_root.joinpath('imgs').rename(tmp_path / 'away')
    inner.mkdir()
    (cuhk_root / 'reid_raw.json').rename(inner / 'reid_raw.json')
    with pytest.raises(FileNotFoundError, match=rf'There is reid_raw.json in {inner}: is that the folder\?'):
        CUHKPEDES(data_root=str(outer))
    (inner / 'imgs').mkdir()
    (tmp_path / 'away').rename(inner / 'imgs' / 'imgs')
    with pytest.raises(FileNotFoundError, match=rf'There is cam_a/\S+ in {inner}/imgs/imgs: is that'):
        CUHKPEDES(data_root=str(inner))
    assert nested_hint(str(tmp_path / 'none' / 'deep'), ['a']) == ''
    assert nested_hint(str(inner / 'none'), ['reid_raw.json']).startswith('There is reid_raw.json in')


@pytest.mark.parametrize(
    'tokenizer', [dict(type='WordTokenizer', max_length=5), dict(type='CLIPTokenizer', context_length=7)]
)
def test_captions_that_are_too_long_are_counted_once(tmp_path, tokenizer):
    own_data(tmp_path, ['p', 'q', 'r'])
    file = tmp_path / 'own.jsonl'
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[1]['caption'] = lines[2]['caption'] = 'a man in a red coat'
    file.write_text('\n'.join(map(json.dumps, lines)))
    told = rf'{file}: 2 captions of the split .test. are longer than {tokenizer["type"]}.* \(the first: line 2\)'
    with pytest.warns(UserWarning, match=told) as seen:
        PersonCaptions('own.jsonl', data_root=str(tmp_path), split='test', test_mode=True, tokenizer=tokenizer)
    assert len([one for one in seen if 'captions of the split' in str(one.message)]) == 1


def test_names_that_are_no_utf8_are_reported(tmp_path):
    name = os.fsdecode(b'\xd0\xd0.png')
    dataset = own_data(tmp_path, ['p'], paths=['0.png'])
    (tmp_path / 'own.jsonl').write_text(json.dumps(dict(image=name, caption='a', person_id='p', split='test')))
    format_report(verify_dataset(dataset, workers=1)).encode()
