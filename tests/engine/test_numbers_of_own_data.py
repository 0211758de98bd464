"""A table of one's own as the data of a config, and the numbers that follow from it."""

import csv

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config, ConfigDict

from mmtbps.engine import own_data
from mmtbps.engine.own_data import apply_own_data, derive_numbers, measures_training_set
from mmtbps.registry import DATASETS
from mmtbps.zoo import read_config


def write_table(folder, persons, splits=None, images=2):
    """A table with ``images`` of each person, in ``imgs`` beside it."""
    (folder / 'imgs').mkdir(parents=True, exist_ok=True)
    rows = [['image', 'caption', 'person_id', *(['split'] if splits else [])]]
    for person in range(persons):
        for view in range(images):
            name = f'{person:02}_{view}.jpg'
            cv2.imwrite(str(folder / 'imgs' / name), np.full((30, 12, 3), person, np.uint8))
            rows.append([name, f'man {person}', f'p{person}', *([splits[person % len(splits)]] if splits else [])])
    with open(folder / 'captions.csv', 'w', newline='') as file:
        csv.writer(file).writerows(rows)
    return str(folder / 'captions.csv')


def sizes(cfg):
    names = ('train_dataloader', 'val_dataloader', 'test_dataloader')
    sets = {name: DATASETS.build(cfg[name].dataset) for name in names if cfg.get(name)}
    return {name.split('_')[0]: dataset.num_classes for name, dataset in sets.items()}


@pytest.mark.parametrize(
    ('persons', 'splits', 'given', 'expected', 'told'),
    [
        (8, None, {}, dict(train=8, test=8), ['no val split', 'no test split']),
        (8, None, dict(num_val_ids=2), dict(train=6, val=2, test=6), ['no test split']),
        (8, None, dict(num_val_ids=2, num_test_ids=2), dict(train=4, val=2, test=2), []),
        (30, None, {}, dict(train=24, val=3, test=3), []),
        (30, None, dict(num_val_ids=0), dict(train=27, test=3), ['no val split']),
        (9, ['train', 'val', 'test'], {}, dict(train=3, val=3, test=3), []),
        (9, ['train'], dict(num_test_ids=4), dict(train=5, test=4), ['no val split']),
    ],
)
def test_splits_of_a_table(persons, splits, given, expected, told, tmp_path):
    cfg = read_config('own-data_tiny')
    cfg.own_data = dict(table=write_table(tmp_path, persons, splits), **given)
    sentences = apply_own_data(cfg)
    assert 'own_data' not in cfg
    assert sizes(cfg) == expected
    assert [words for words in ('no val split', 'no test split') if words in ' '.join(sentences)] == told
    assert measures_training_set(cfg) == ('no test split' in told)
    assert (cfg.val_cfg is None) == ('val' not in expected)
    assert ('save_best' in cfg.default_hooks.checkpoint) == ('val' in expected)


def test_any_config_takes_a_table_and_keeps_its_pipelines_and_words(tmp_path):
    cfg = read_config('cm-moco_r50-bigru_1xb128-80e_cuhk-pedes')
    before = [cfg[name].dataset.pipeline for name in ('train_dataloader', 'test_dataloader')]
    cfg.own_data = write_table(tmp_path, 30, ['train', 'val', 'test'], images=1)
    assert apply_own_data(cfg) == []  # ten persons for val are no few
    assert [cfg[name].dataset.pipeline for name in ('train_dataloader', 'test_dataloader')] == before
    assert cfg.train_dataloader.dataset.tokenizer.type == 'WordTokenizer'
    assert [cfg[f'{name}_dataloader'].dataset.get('test_mode', False) for name in ('train', 'test')] == [False, True]


def test_images_are_beside_the_table_in_imgs_or_where_one_says(tmp_path):
    table = write_table(tmp_path / 'a', 3, ['train', 'val', 'test'])
    (tmp_path / 'a/imgs').rename(tmp_path / 'photos')
    for images, place in ((None, tmp_path / 'a'), (str(tmp_path / 'photos'), tmp_path / 'photos')):
        cfg = read_config('own-data_tiny')
        cfg.own_data = dict(table=table, images=images)
        apply_own_data(cfg)
        assert cfg.train_dataloader.dataset.data_prefix.img_path == str(place)


@pytest.mark.parametrize(
    ('given', 'error', 'message'),
    [
        (dict(table='none.csv'), FileNotFoundError, r'no table none\.csv \(own_data, --data\)'),
        (dict(images='none'), FileNotFoundError, r'no folder none \(own_data\.images, --images\)'),
        (dict(num_val_ids=9), ValueError, 'choose a smaller num_val_ids'),
        (dict(split_key='caption'), ValueError, 'split must be one of'),
    ],
)
def test_mistakes(given, error, message, tmp_path):
    cfg = read_config('own-data_tiny')
    cfg.own_data = dict(dict(table=write_table(tmp_path, 8)), **given)
    with pytest.raises(error, match=message):
        apply_own_data(cfg)


def test_a_table_without_training_rows(tmp_path):
    cfg = read_config('own-data_tiny')
    cfg.own_data = write_table(tmp_path, 4, ['val', 'test'])
    with pytest.raises(ValueError, match='no row belongs to the split train; it has test, val'):
        apply_own_data(cfg)


class Data:
    """A data set that knows its sizes alone."""

    def __init__(self, pairs, persons):
        self.pairs, self.num_classes = pairs, persons

    def __len__(self):
        return self.pairs


@given(st.integers(1, 400), st.integers(1, 60), st.integers(2, 128), st.one_of(st.none(), st.integers(1, 8)))
def test_numbers_follow_from_the_data(pairs, persons, meant, instances):
    persons = min(pairs, persons)
    sampler = dict(type='DefaultSampler') if instances is None else dict(num_instances=instances, batch_size=None)
    cfg = Config(
        dict(
            train_dataloader=dict(batch_size=None, sampler=sampler, dataset=dict(type='Data')),
            train_cfg=dict(max_epochs=None),
            auto_scale_lr=dict(base_batch_size=meant),
        )
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_data.DATASETS, 'build', lambda _: Data(pairs, persons))
        if instances is not None and pairs == persons:
            instances = 1
        largest = pairs if instances is None else min(persons, max(1, meant // instances))
        if largest < 2:
            with pytest.raises(ValueError, match=rf'has {pairs} pairs of {persons} persons for 1 processes'):
                derive_numbers(cfg)
            return
        (sentence,) = derive_numbers(cfg)
    size, epochs = cfg.train_dataloader.batch_size, cfg.train_cfg.max_epochs
    assert 2 <= size <= meant
    if instances is None:
        assert size == min(meant, pairs)
    else:
        assert size % instances == 0
        assert size // instances <= persons
        assert size + instances > meant or size // instances == persons  # no larger batch would do
        assert cfg.train_dataloader.sampler.batch_size == size
    steps = max(1, pairs // size)
    assert 5 <= epochs <= 60
    assert epochs in (5, 60) or 1000 <= epochs * steps < 1000 + steps
    assert f'{pairs} pairs of {persons} persons' in sentence
    assert cfg.auto_scale_lr.base_batch_size == size


def test_numbers_that_are_set_are_kept(tmp_path):
    cfg = Config(dict(train_dataloader=dict(batch_size=7, dataset=None), train_cfg=dict(max_epochs=3)))
    assert derive_numbers(cfg) == []
    assert derive_numbers(Config(dict(model=ConfigDict()))) == []


def test_persons_by_any_column(tmp_path):
    cfg = read_config('own-data_tiny')
    cfg.own_data = dict(table=write_table(tmp_path, 3), person_key='image')
    apply_own_data(cfg)
    assert sizes(cfg)['train'] == 6


def test_a_run_without_validation_takes_a_table_too(tmp_path):
    cfg = read_config('own-data_tiny')
    own_data.disable_validation(cfg)
    cfg.own_data = write_table(tmp_path, 9, ['train', 'val', 'test'])
    assert apply_own_data(cfg) == []
    assert sizes(cfg) == dict(train=3, test=3)
    cfg = Config(dict(train_dataloader=None, own_data=write_table(tmp_path, 3, ['train'])))
    with pytest.raises(ValueError, match='own_data needs a config with a train_dataloader'):
        apply_own_data(cfg)


def test_rows_that_nobody_has_filled_in_are_left_out(tmp_path):
    table = write_table(tmp_path, 4)
    with open(table, 'a', newline='') as file:
        csv.writer(file).writerows([['00_0.jpg', ' ', ''], ['00_1.jpg', '', '']])
    cfg = read_config('own-data_tiny')
    cfg.own_data = table
    with pytest.warns(UserWarning, match="2 rows have neither 'caption' nor 'person_id' and are left out"):
        apply_own_data(cfg)
    assert sizes(cfg)['train'] == 4


def test_too_many_persons_for_val_and_test_are_told_without_the_format(tmp_path):
    cfg = read_config('own-data_tiny')
    cfg.own_data = dict(table=write_table(tmp_path, 8), num_val_ids=4, num_test_ids=4)
    with pytest.raises(ValueError, match=r'choose a smaller num_val_ids \(--val-ids\)\.$'):
        apply_own_data(cfg)


def test_names_of_columns_are_told_as_they_are_given_in_a_shell(tmp_path):
    (tmp_path / 't.csv').write_text('file,text,person_id\n1.jpg,a man,1\n')
    cfg = read_config('own-data_tiny')
    cfg.own_data = str(tmp_path / 't.csv')
    with pytest.raises(ValueError, match=r'in a shell by --cfg-options own_data\.image_key=NAME'):
        apply_own_data(cfg)
