"""The size of batches is said once, and an epoch has at least one."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config
from torch.utils.data import DataLoader, IterableDataset

from mmtbps.engine.loaders import check_batch_size, check_evaluation_loaders, require_batches


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from(['train', 'val', 'test']))
def test_two_sizes_of_one_batch_must_agree(size, own, split):
    loader = dict(batch_size=size, sampler=dict(type='IdentitySampler', batch_size=own, num_instances=1))
    cfg = Config({f'{split}_dataloader': loader})
    if size == own:
        check_batch_size(cfg)
    else:
        with pytest.raises(
            ValueError, match=rf'{split}_dataloader.batch_size is {size}, .*sampler.batch_size is {own}'
        ):
            check_batch_size(cfg)


def test_other_samplers_and_missing_loaders_are_left_alone():
    check_batch_size(Config(dict(train_dataloader=dict(batch_size=4, sampler=dict(type='DefaultSampler')))))
    check_batch_size(Config(dict(val_dataloader=None)))


@given(st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_an_epoch_without_a_batch_is_refused_with_its_numbers(pairs, size, drop_last):
    runner = SimpleNamespace(train_dataloader=DataLoader(range(pairs), batch_size=size, drop_last=drop_last))
    if pairs >= size or not drop_last:
        require_batches(runner)
    else:
        message = rf'has {pairs} pairs, with train_dataloader.batch_size={size} and drop_last=True'
        with pytest.raises(ValueError, match=message):
            require_batches(runner)


def test_a_set_without_a_length_is_left_alone():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter([1])

    require_batches(SimpleNamespace(train_dataloader=DataLoader(Stream())))


@pytest.mark.parametrize('split', ['val', 'test'])
@pytest.mark.parametrize(
    ('loader', 'message'),
    [
        (dict(drop_last=True), 'drop_last=True would leave the images of the last batch out'),
        (dict(sampler=dict(type='InfiniteSampler')), 'with which an evaluation never ends'),
        (dict(sampler=dict(type='mmengine.InfiniteSampler')), 'with which an evaluation never ends'),
    ],
)
def test_an_evaluation_shows_every_image_once(split, loader, message):
    with pytest.raises(ValueError, match=rf'{split}_dataloader\..*{message}'):
        check_evaluation_loaders(Config({f'{split}_dataloader': loader}))
    check_evaluation_loaders(Config(dict(train_dataloader=loader, val_dataloader=None)))
    check_evaluation_loaders(Config({f'{split}_dataloader': dict(sampler=dict(type='DefaultSampler'))}))
