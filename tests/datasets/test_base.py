import copy
import json
import ntpath
import os
import pickle
import posixpath
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.dataset import BaseDataset

from mmtbps.datasets import CUHKPEDES, TBPSDataset, WordTokenizer
from mmtbps.datasets.annotation import missing_images, relative_path, sort_ids
from mmtbps.registry import DATASETS


def plain_items(entries, root, split):
    """The train items of a split, as the contract words them."""
    classes = sorted({entry['id'] for entry in entries if entry['split'] == split})
    images = [entry for entry in entries if entry['split'] == split]
    return [
        dict(
            img_path=f'{root}/imgs/{entry["file_path"]}',
            image_id=index,
            person_id=classes.index(entry['id']),
            caption=caption,
        )
        for index, entry in enumerate(images)
        for caption in entry['captions']
    ]


def without_index(info):
    return {key: value for key, value in info.items() if key != 'sample_idx'}


def test_training_items_are_pairs(cuhk_root, cuhk_entries):
    dataset = DATASETS.build(dict(type='CUHKPEDES', data_root=str(cuhk_root)))
    expected = plain_items(cuhk_entries, cuhk_root, 'train')
    assert [without_index(dataset.get_data_info(i)) for i in range(len(dataset))] == expected
    assert dataset.num_classes == 3
    assert dataset.metainfo['person_ids'] == [7, 11, 90]
    assert dataset.person_ids.dtype == np.int64
    assert dataset.person_ids.tolist() == [item['person_id'] for item in expected]
    assert dataset.get_cat_ids(5) == [expected[5]['person_id']]


def test_evaluation_items_are_images_with_all_captions(cuhk_root, cuhk_entries):
    dataset = CUHKPEDES(data_root=str(cuhk_root), split='val', test_mode=True)
    items = [without_index(dataset.get_data_info(i)) for i in range(len(dataset))]
    entries = [entry for entry in cuhk_entries if entry['split'] == 'val']
    assert [item['captions'] for item in items] == [entry['captions'] for entry in entries]
    assert [item['img_path'] for item in items] == [f'{cuhk_root}/imgs/{entry["file_path"]}' for entry in entries]
    assert [item['image_id'] for item in items] == [0, 1, 2, 3]
    assert [item['person_id'] for item in items] == [1, 1, 0, 0]
    assert 'person_ids' not in dataset.metainfo
    assert 'vocabulary' not in dataset.metainfo


def test_entries_of_one_image_are_merged(tmp_path, write_json, cuhk_entries):
    again = dict(cuhk_entries[0], captions=['once more'], file_path='./' + cuhk_entries[0]['file_path'])
    root = write_json(tmp_path, [*cuhk_entries, again])
    dataset = CUHKPEDES(data_root=str(root), test_mode=True)
    assert len(dataset) == 6
    assert dataset.get_data_info(0)['captions'] == [*cuhk_entries[0]['captions'], 'once more']


def test_one_image_of_two_persons_is_an_error(tmp_path, write_json, cuhk_entries):
    root = write_json(tmp_path, [*cuhk_entries, dict(cuhk_entries[0], id=11)])
    with pytest.raises(ValueError, match=r'reid_raw.json: entry 0 and entry 12: .*person 90 and person 11'):
        CUHKPEDES(data_root=str(root))


def test_the_training_set_fits_the_words_that_others_take_over(cuhk_root, cuhk_entries):
    train = CUHKPEDES(data_root=str(cuhk_root))
    oracle = WordTokenizer()
    oracle.fit(caption for e in cuhk_entries if e['split'] == 'train' for caption in e['captions'])
    assert train.metainfo['vocabulary'] == oracle.vocabulary
    val = CUHKPEDES(data_root=str(cuhk_root), split='val', test_mode=True)
    with pytest.raises(RuntimeError, match='no vocabulary'):
        val.tokenizer.encode('a man')
    val.set_vocabulary(train.metainfo['vocabulary'])
    assert val.tokenizer.encode('A person.') == train.tokenizer.encode('A person.')
    assert val.metainfo['vocabulary'] == oracle.vocabulary


def test_a_given_vocabulary_or_tokenizer_is_kept(cuhk_root):
    words = ['<pad>', '<unk>', 'red']
    dataset = CUHKPEDES(data_root=str(cuhk_root), tokenizer=dict(type='WordTokenizer', vocabulary=words))
    assert dataset.metainfo['vocabulary'] == words
    assert CUHKPEDES(data_root=str(cuhk_root), tokenizer=dataset.tokenizer).tokenizer is dataset.tokenizer


@pytest.mark.parametrize('serialize_data', [True, False])
@pytest.mark.parametrize('indices', [5, -3, [4, 0, 9]])
def test_mmengine_ways_to_keep_a_part(cuhk_root, serialize_data, indices):
    whole = CUHKPEDES(data_root=str(cuhk_root), lazy_init=True, serialize_data=serialize_data)
    assert not whole._fully_initialized
    keep = np.arange(12)
    keep = keep[indices] if isinstance(indices, list) else keep[:indices] if indices > 0 else keep[indices:]
    expected = [whole.get_data_info(int(i))['caption'] for i in keep]
    assert whole.person_ids.shape == (12,)

    by_argument = CUHKPEDES(data_root=str(cuhk_root), indices=indices, serialize_data=serialize_data)
    copied, again = whole.get_subset(indices), whole.get_subset(indices)
    whole.get_subset_(indices)
    for part in (by_argument, copied, again, whole):
        assert [part.get_data_info(i)['caption'] for i in range(len(part))] == expected
        assert part.person_ids.tolist() == [part.get_data_info(i)['person_id'] for i in range(len(part))]
        assert part.num_classes == 3
        assert part.metainfo == by_argument.metainfo
    assert copied.tokenizer is not again.tokenizer


def test_filter_cfg_needs_a_filter(cuhk_root):
    class Filtered(CUHKPEDES):
        def filter_data(self):
            return [item for item in self.data_list if item['person_id'] in self.filter_cfg['persons']]

    dataset = Filtered(data_root=str(cuhk_root), filter_cfg=dict(persons=[2]))
    assert set(dataset.person_ids.tolist()) == {2}
    assert len(dataset) == 4
    with pytest.raises(ValueError, match='CUHKPEDES has no filter'):
        CUHKPEDES(data_root=str(cuhk_root), filter_cfg=dict(persons=[2]))


@pytest.mark.parametrize(
    ('args', 'error', 'message'),
    [
        (dict(split='dev'), ValueError, "split must be one of .* got 'dev'"),
        (dict(data_prefix=dict(img='imgs')), ValueError, 'img_path'),
        (dict(piepline=[]), TypeError, 'piepline'),
        (dict(max_refetch=3), TypeError, 'max_refetch'),
    ],
)
def test_wrong_arguments(cuhk_root, args, error, message):
    with pytest.raises(error, match=message):
        CUHKPEDES(data_root=str(cuhk_root), **args)


BAD_ENTRIES = [
    (dict(split='dev'), "entry 3: split must be one of .* 'dev'"),
    (dict(id=None), "entry 3: 'id' must be an integer or a text, but got None"),
    (dict(id=True), "entry 3: 'id' must be an integer"),
    (dict(id=1.5), "entry 3: 'id' must be an integer"),
    (dict(captions=[1]), "entry 3: 'captions' must be a list of texts"),
    (dict(captions={}), "entry 3: 'captions' must be a list of texts"),
    (dict(file_path=''), 'entry 3: the image path must be'),
    (dict(file_path=3), 'entry 3: the image path must be'),
    (dict(file_path='a\0.png'), 'entry 3: the image path must be'),
    (dict(file_path='../secret.png'), 'entry 3: the image path .* leaves the image folder'),
]


@pytest.mark.parametrize(('change', 'message'), BAD_ENTRIES, ids=[str(change) for change, _ in BAD_ENTRIES])
def test_a_wrong_value_names_file_and_entry(cuhk_root, cuhk_entries, change, message):
    cuhk_entries[3].update(change)
    (cuhk_root / 'reid_raw.json').write_text(json.dumps(cuhk_entries))
    with pytest.raises(ValueError, match=rf'reid_raw\.json: {message}.*needs reid_raw\.json, a list of'):
        CUHKPEDES(data_root=str(cuhk_root))


@pytest.mark.parametrize('key', ['split', 'captions', 'file_path', 'id'])
def test_a_missing_key_names_file_entry_and_key(cuhk_root, cuhk_entries, key):
    del cuhk_entries[7][key]
    (cuhk_root / 'reid_raw.json').write_text(json.dumps(cuhk_entries))
    with pytest.raises(ValueError, match=rf"reid_raw\.json: entry 7: missing '{key}'"):
        CUHKPEDES(data_root=str(cuhk_root))


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'[\n {"split": "train",\n  "id": }]', 'not valid JSON, .* line 3, column 9'),
        (b'', 'not valid JSON'),
        (b'{"split": "train"}', 'a list of entries is expected, but got dict'),
        (b'[1]', 'entry 0: an object with the keys'),
        (b'[]', "no entries of the split 'train'; it has the splits \\[\\]"),
        (b'["\xff"]', 'not UTF-8'),
    ],
    ids=['broken', 'empty', 'dict', 'number', 'nothing', 'latin'],
)
def test_broken_files(tmp_path, content, message):
    (tmp_path / 'reid_raw.json').write_bytes(content)
    with pytest.raises(ValueError, match=rf'reid_raw\.json.*{message}'):
        CUHKPEDES(data_root=str(tmp_path))


def test_a_split_without_entries_names_those_there(cuhk_root, cuhk_entries):
    (cuhk_root / 'reid_raw.json').write_text(json.dumps([e for e in cuhk_entries if e['split'] != 'val']))
    with pytest.raises(ValueError, match=r"no entries of the split 'val'; it has the splits \['test', 'train'\]"):
        CUHKPEDES(data_root=str(cuhk_root), split='val')


def test_blank_captions_are_left_out_with_one_counted_warning(cuhk_root, cuhk_entries):
    cuhk_entries[0]['captions'] = [' ', 'a man', '']
    cuhk_entries[1]['captions'] = ['\t']
    cuhk_entries[2]['captions'] = []
    (cuhk_root / 'reid_raw.json').write_text(json.dumps(cuhk_entries))
    with pytest.warns(UserWarning, match=r'3 images .*the first: entry 0.*the 2 images') as caught:
        train = CUHKPEDES(data_root=str(cuhk_root))
    assert len(caught) == 1
    assert len(train) == 1 + 3 * 2
    with pytest.warns(UserWarning, match='2 images .*the 0 images'):
        test = CUHKPEDES(data_root=str(cuhk_root), test_mode=True)
    assert [test.get_data_info(i)['captions'] for i in range(3)] == [['a man'], [], []]


def test_a_person_without_any_caption_gets_no_class(cuhk_root, cuhk_entries):
    for entry in cuhk_entries:
        entry['captions'] = [] if entry['id'] == 7 else entry['captions']
    (cuhk_root / 'reid_raw.json').write_text(json.dumps(cuhk_entries))
    with pytest.warns(UserWarning, match='2 images'):
        dataset = CUHKPEDES(data_root=str(cuhk_root))
    assert dataset.metainfo['person_ids'] == [11, 90]


@pytest.mark.filterwarnings('ignore:.*lack a caption')
def test_no_caption_at_all_is_an_error(cuhk_root, cuhk_entries):
    (cuhk_root / 'reid_raw.json').write_text(json.dumps([dict(entry, captions=[]) for entry in cuhk_entries]))
    with pytest.raises(ValueError, match="every caption of the split 'train' is blank"):
        CUHKPEDES(data_root=str(cuhk_root))


def test_missing_images_are_one_error_and_may_be_left_unchecked(cuhk_root, cuhk_entries):
    for entry in cuhk_entries[:4]:
        (cuhk_root / 'imgs' / entry['file_path']).unlink()
    with pytest.raises(FileNotFoundError, match=r'4 of 6 images .*090_0.*090_1.*007_0\.png, \.\.\..*mmtbps verify'):
        CUHKPEDES(data_root=str(cuhk_root))
    assert len(CUHKPEDES(data_root=str(cuhk_root), check_images=False)) == 12
    assert len(CUHKPEDES(data_root=str(cuhk_root), split='test')) == 4


def test_missing_images_compares_with_the_disk(cuhk_root):
    folder = str(cuhk_root / 'imgs')
    assert missing_images(folder, ['cam_a/090_0.png', 'cam_b/1.png', 'x.png', 'cam_a/no.png']) == [
        'cam_b/1.png',
        'x.png',
        'cam_a/no.png',
    ]


@pytest.mark.parametrize(
    'path',
    [
        '/etc/passwd',
        '../a.png',
        'a/../../b.png',
        'a/..',
        '..',
        '\\a.png',
        'a\\..\\..\\b.png',
        '..\\b.png',
        'C:/a.png',
        'c:a.png',
        'C:\\a.png',
        '\\\\server\\share\\a.png',
        '//server/share/a.png',
        './C:/a.png',
        './\\a.png',
        '::/a.png',
    ],
)
def test_paths_that_leave_the_folder(path):
    with pytest.raises(ValueError, match='leaves the image folder'):
        relative_path(path)


@pytest.mark.parametrize(
    ('path', 'clean'),
    [('a/b.png', 'a/b.png'), ('./a//b.png', 'a/b.png'), ('a..b/..c.png', 'a..b/..c.png'), ('人/é .png', '人/é .png')],
)
def test_paths_that_stay(path, clean):
    assert relative_path(path) == clean


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='./\\:aC ', min_size=1, max_size=12))
def test_no_accepted_path_leaves_the_folder_on_either_system(path):
    try:
        clean = relative_path(path)
    except ValueError:
        return
    for flavour, root in ((posixpath, '/data/imgs'), (ntpath, 'D:\\data\\imgs')):
        reached = flavour.normpath(flavour.join(root, clean))
        assert reached == root or reached.startswith(root + flavour.sep)


def test_ids_sort_as_what_they_are():
    assert sort_ids([10, 9, 10, -1]) == [-1, 9, 10]
    assert sort_ids(['10', '9', 'a', '10']) == ['10', '9', 'a']
    assert sort_ids(['b', 10, '9', 2]) == [10, 2, '9', 'b']
    assert sort_ids(['1', 1]) == sort_ids([1, '1']) == [1, '1']


def test_classes_do_not_depend_on_hash_seed_or_order(tmp_path, write_json):
    """Another process, another order: the same map and the same words."""
    names = ('ann', 'bob', 'cem', 'dan', 'eva', 'fay')
    entries = [dict(split='train', captions=[f'Person {n}.'], file_path=f'{n}.png', id=n) for n in names]
    code = (
        'import json, sys; from mmtbps.datasets import CUHKPEDES; d = CUHKPEDES(data_root=sys.argv[1]);'
        'print(json.dumps(d.metainfo))'
    )
    command = [sys.executable, '-W', 'ignore', '-c', code, str(write_json(tmp_path, entries))]
    seed = '1' if os.environ.get('PYTHONHASHSEED') != '1' else '2'
    environment = dict(os.environ, PYTHONHASHSEED=seed)
    there = json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    here = CUHKPEDES(data_root=str(write_json(tmp_path, entries[::-1]))).metainfo
    assert there == here
    assert here['person_ids'] == list(names)
    assert here['vocabulary'] == ['<pad>', '<unk>', 'person', *names]


def test_a_broken_image_is_an_error_that_names_it(cuhk_root, cuhk_entries):
    file = cuhk_root / 'imgs' / cuhk_entries[1]['file_path']
    file.write_bytes(b'no image')
    dataset = CUHKPEDES(data_root=str(cuhk_root), pipeline=[dict(type='LoadImageFromFile')])
    assert dataset[0]['img'].shape == (12, 6, 3)
    with pytest.raises(Exception, match=file.name):
        dataset[2]


@pytest.mark.parametrize('test_mode', [True, False])
def test_a_pipeline_that_returns_nothing_is_an_error(cuhk_root, test_mode):
    dataset = CUHKPEDES(data_root=str(cuhk_root), pipeline=[lambda results: None], test_mode=test_mode)
    with pytest.raises(RuntimeError, match=r'nothing for item 0 .*090_0\.png'):
        dataset[0]


def test_the_pipeline_finds_the_tokenizer(cuhk_root):
    dataset = CUHKPEDES(data_root=str(cuhk_root), pipeline=[lambda r: r['tokenizer'].encode(r['caption'])])
    words = dataset.tokenizer.vocabulary
    assert [words[i] for i in dataset[0]] == ['person', '90', 'in', 'a', 'red', 'tshirt']


def test_a_reader_of_ones_own_is_a_few_lines(tmp_path, write_images):
    class Lines(TBPSDataset):
        def load_raw(self):
            with open(self.ann_file) as file:
                return file.read().splitlines()

        def parse(self, raw):
            names = list(self.keys.values())
            rows = (dict(zip(names, line.split('|'), strict=True)) for line in raw)
            return self.parse_records((f'line {n}', row) for n, row in enumerate(rows, 1))

    (tmp_path / 'a.txt').write_text('1.png|p|a man|train\n2.png|q|a woman|train')
    write_images(tmp_path, ['1.png', '2.png'])
    dataset = Lines('a.txt', data_root=str(tmp_path))
    assert [dataset.get_data_info(i)['caption'] for i in range(2)] == ['a man', 'a woman']


def test_it_is_a_dataset_of_mmengine_and_survives_copies(cuhk_root):
    dataset = CUHKPEDES(data_root=str(cuhk_root))
    assert isinstance(dataset, BaseDataset)
    for twin in (copy.deepcopy(dataset), pickle.loads(pickle.dumps(dataset))):
        twin.set_epoch(3, seed=5)
        assert twin._rng._state.is_shared()
        assert twin[4]['caption'] == dataset[4]['caption']
    assert dataset._rng._state.tolist() == [0, 0]
    assert torch.equal(dataset._rng._state, torch.zeros(2, dtype=torch.int64))
