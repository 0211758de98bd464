"""Data sets that are joined or repeated: identities, words, random numbers, figures."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.dataset import ClassBalancedDataset as MMEngineClassBalancedDataset
from mmpretrain.structures import DataSample

from mmtbps.datasets import IdentitySampler, PersonCaptions, WordTokenizer
from mmtbps.datasets.joining import leaf_configs, with_leaves
from mmtbps.evaluation import TBPSMetric
from mmtbps.registry import DATASETS

again = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


def draw_number(results):
    """A pipeline that returns the item with a random number."""
    return dict(results, number=float(torch.rand(())))


def write(folder, persons, word='coat', split='train'):
    """A table with one caption for each entry of ``persons``; config of its data set."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [f'{i}.png,a {word} {person},{person},{split}' for i, person in enumerate(persons)]
    (folder / 'table.csv').write_text('\n'.join(['image,caption,person_id,split', *rows]))
    return dict(
        type='PersonCaptions', ann_file='table.csv', data_root=str(folder), check_images=False, split=split,
        test_mode=split != 'train', pipeline=[draw_number],
    )  # fmt: skip


@again
@given(st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=6), min_size=1, max_size=3), st.integers(1, 3))
def test_identities_of_all_sets_and_showings_stay_apart(tmp_path_factory, sets, times):
    folder = tmp_path_factory.mktemp('sets')
    configs = [write(folder / str(n), persons, f'word{n}') for n, persons in enumerate(sets)]
    joined = DATASETS.build(
        dict(type='RepeatDataset', times=times, dataset=dict(type='ConcatDataset', datasets=configs))
    )
    expected = [(n, person, f'a word{n} {person}') for n, persons in enumerate(sets) for person in persons] * times

    assert len(joined) == len(expected)
    items = [joined[index] for index in range(len(joined))]
    assert [item['caption'] for item in items] == [caption for *_, caption in expected]
    meant = {}
    for item, (n, person, _) in zip(items, expected, strict=True):
        assert meant.setdefault((n, person), item['person_id']) == item['person_id']
    assert sorted(meant.values()) == list(range(joined.num_classes))
    assert joined.person_ids.tolist() == [item['person_id'] for item in items]
    assert [item['sample_idx'] for item in items] == list(range(len(items)))
    assert len({(item['image_id'], item['img_path']) for item in items}) == joined.num_images == len(expected) // times

    # The words are those of one table with all lines.
    words = WordTokenizer()
    words.fit(caption for *_, caption in expected)
    assert joined.metainfo['vocabulary'] == words.vocabulary
    assert len(joined.metainfo['person_ids']) == len(set(joined.metainfo['person_ids'])) == joined.num_classes


def test_every_showing_has_random_numbers_of_its_own(tmp_path):
    one, two = write(tmp_path / 'one', [1, 2, 3]), write(tmp_path / 'two', [1, 2, 3])
    joined = DATASETS.build(
        dict(type='RepeatDataset', times=2, dataset=dict(type='ConcatDataset', datasets=[one, two]))
    )
    plain = DATASETS.build(one)
    drawn = {}
    for epoch in range(2):
        joined.set_epoch(epoch, seed=5)
        plain.set_epoch(epoch, seed=5)
        drawn[epoch] = [joined[index]['number'] for index in range(12)]
        assert drawn[epoch] == [joined[index]['number'] for index in range(12)]
        assert drawn[epoch][:3] == [plain[index]['number'] for index in range(3)], 'the first part is as if alone'
    assert len({*drawn[0], *drawn[1]}) == 24


@again
@given(st.lists(st.integers(1, 4), min_size=1, max_size=12), st.floats(0.01, 1))
def test_rare_identities_are_repeated_as_by_mmengine(tmp_path_factory, persons, threshold):
    config = write(tmp_path_factory.mktemp('set'), persons)
    ours = DATASETS.build(dict(type='ClassBalancedDataset', dataset=config, oversample_thr=threshold))
    theirs = MMEngineClassBalancedDataset(DATASETS.build(config), threshold)
    paths = [theirs.get_data_info(index)['img_path'] for index in range(len(theirs))]
    assert [ours.get_data_info(index)['img_path'] for index in range(len(ours))] == paths
    numbers = [ours[index]['number'] for index in range(len(ours))]
    assert len(set(numbers)) == len(numbers)


def test_batches_of_identities_from_two_sets(tmp_path):
    joined = DATASETS.build(
        dict(
            type='ConcatDataset',
            datasets=[write(tmp_path / name, np.repeat([1, 2, 3], 4).tolist()) for name in ('one', 'two')],
        )
    )
    batches = np.array(list(IdentitySampler(joined, 8, 2))).reshape(-1, 8)
    for batch in batches:
        assert set(Counter(joined.person_ids[batch]).values()) == {2}
    assert set(joined.person_ids[batches.ravel()]) == set(range(6))


def test_mistakes_are_named(tmp_path):
    one, two = write(tmp_path / 'one', [1, 2]), write(tmp_path / 'two', [1, 2], split='test')
    build = DATASETS.build
    with pytest.raises(ValueError, match=r'differ in test_mode: \[False, True\]'):
        build(dict(type='ConcatDataset', datasets=[one, two]))
    with pytest.raises(ValueError, match='differ in tokenizer'):
        build(dict(type='ConcatDataset', datasets=[one, dict(one, tokenizer=dict(type='CLIPTokenizer'))]))
    with pytest.raises(ValueError, match='names must be 2 different ones'):
        build(dict(type='ConcatDataset', datasets=[one, one], names=['a', 'a']))
    with pytest.raises(ValueError, match='at least one data set'):
        build(dict(type='ConcatDataset', datasets=[]))
    with pytest.raises(TypeError, match='a list has no identities and captions'):
        build(dict(type='RepeatDataset', dataset=[1], times=2))
    with pytest.raises(ValueError, match='has other words than'):
        build(dict(type='ConcatDataset', datasets=[build(one), build(write(tmp_path / 'third', [8], 'hat'))]))
    with pytest.raises(ValueError, match='times'):
        build(dict(type='RepeatDataset', dataset=one, times=0))


def test_names_of_sets(tmp_path):
    sets = [write(tmp_path / name, [1]) for name in ('one', 'two')]
    assert DATASETS.build(dict(type='ConcatDataset', datasets=sets)).metainfo['person_ids'] == [
        'PersonCaptions 1/1', 'PersonCaptions 2/1'
    ]  # fmt: skip
    named = DATASETS.build(dict(type='ConcatDataset', datasets=sets, names=['x', 'y']))
    assert named.metainfo['person_ids'] == ['x/1', 'y/1']
    assert named.metainfo['dataset'] == 'x + y'
    assert isinstance(named.leaves[0], PersonCaptions)


def test_settings_reach_the_sets_below_wrappers():
    config = dict(type='ConcatDataset', datasets=[dict(type='A'), dict(type='RepeatDataset', dataset=dict(type='B'))])
    changed = with_leaves(config, pipeline=[])
    assert [leaf['type'] for leaf in leaf_configs(changed)] == ['A', 'B']
    assert all(leaf['pipeline'] == [] for leaf in leaf_configs(changed))
    assert all('pipeline' not in leaf for leaf in leaf_configs(config))
    assert list(leaf_configs(None)) == []


def predictions(seed, persons, name):
    generator = torch.Generator().manual_seed(seed)
    for person in persons:
        sample = DataSample(person_id=person)
        sample.set_field(torch.randn(4, generator=generator), 'image_feat')
        sample.set_field(torch.randn(2, 4, generator=generator), 'text_feats')
        if name is not None:
            sample.set_field(name, 'data_set')
        yield sample.to_dict()


def test_each_set_is_ranked_within_itself():
    def evaluate(*sets):
        metric = TBPSMetric()
        for samples in sets:
            metric.process(None, list(samples))
        return metric.compute_metrics(metric.results)

    alone = [evaluate(predictions(seed, range(start, start + 9), None)) for seed, start in ((1, 0), (2, 9))]
    together = evaluate(predictions(1, range(9), 'x'), predictions(2, range(9, 18), 'y'))
    for key in alone[0]:
        assert together[f'x/{key}'] == alone[0][key]
        assert together[f'y/{key}'] == alone[1][key]
        assert together[key] == pytest.approx((alone[0][key] + alone[1][key]) / 2)
    assert evaluate(predictions(1, range(9), 'x')) == alone[0]


def test_loops_over_items_end(tmp_path):
    config = write(tmp_path, [1, 2, 3])
    for dataset in (config, dict(type='RepeatDataset', dataset=config, times=2)):
        built = DATASETS.build(dataset)
        assert len(list(built)) == len(built)


@pytest.mark.parametrize(
    'wrapper', [dict(type='RepeatDataset', times=2), dict(type='ClassBalancedDataset', oversample_thr=0.9)]
)
def test_nothing_is_repeated_in_an_evaluation(tmp_path, wrapper):
    with pytest.raises(ValueError, match=rf'{wrapper["type"]} repeats items, which in an evaluation'):
        DATASETS.build(dict(wrapper, dataset=write(tmp_path, [1, 2], split='test')))


def test_data_sets_inside_joined_ones_keep_their_names(tmp_path):
    sets = [write(tmp_path / str(n), [1, 2], split='test') for n in range(3)]
    inner = dict(type='ConcatDataset', datasets=sets[1:], names=['b', 'c'])
    joined = DATASETS.build(dict(type='ConcatDataset', datasets=[sets[0], inner], names=['a', 'x']))
    assert [joined.get_data_info(index)['data_set'] for index in range(6)] == ['a', 'a', *2 * ['x/b'], *2 * ['x/c']]
