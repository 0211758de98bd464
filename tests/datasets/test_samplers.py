import tracemalloc
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from mmtbps.datasets import IdentitySampler
from mmtbps.datasets.samplers import identity_sampler
from mmtbps.registry import DATA_SAMPLERS


class Pairs:
    """A data set of identities only; item i is i."""

    def __init__(self, counts, seed=0):
        ids = np.repeat(np.arange(len(counts)) * 7 - 5, counts)
        self.person_ids = np.random.default_rng(seed).permutation(ids)

    def __len__(self):
        return len(self.person_ids)

    def __getitem__(self, index):
        return index


def in_process(rank, world_size, *args, **kwargs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity_sampler, 'get_dist_info', lambda: (rank, world_size))
        return IdentitySampler(*args, **kwargs)


def most_batches(counts, identities, num_instances):
    """Give every batch the identities with the most blocks left, until too few are left: no plan has more batches."""
    blocks = [max(count // num_instances, 1) for count in counts]
    batches = 0
    while sum(left > 0 for left in blocks) >= identities:
        for index in sorted(range(len(blocks)), key=lambda i: -blocks[i])[:identities]:
            blocks[index] -= 1
        batches += 1
    return batches


@st.composite
def problems(draw):
    num_instances = draw(st.integers(1, 4))
    identities = draw(st.integers(1, 5))
    counts = draw(st.lists(st.integers(1, 17), min_size=identities, max_size=12))
    return counts, identities, num_instances


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(0, 3), st.integers(0, 3))
def test_epoch_against_the_definition(problem, seed, epoch):
    counts, identities, num_instances = problem
    dataset = Pairs(counts)
    sampler = IdentitySampler(dataset, identities * num_instances, num_instances, seed=seed)
    sampler.set_epoch(epoch)
    items = list(sampler)

    assert len(items) == len(sampler) == most_batches(counts, identities, num_instances) * identities * num_instances
    blocks = np.asarray(items).reshape(-1, identities, num_instances)
    owners = dataset.person_ids[blocks]
    assert (owners == owners[..., :1]).all()
    assert all(len(set(batch)) == identities for batch in owners[..., 0].tolist())

    total = Counter(dataset.person_ids.tolist())
    used = Counter(items)
    for block, owner in zip(blocks.reshape(-1, num_instances).tolist(), owners[..., 0].ravel().tolist(), strict=True):
        assert len(set(block)) == min(num_instances, total[owner])
        if total[owner] >= num_instances:
            assert all(used[item] == 1 for item in block)
        else:  # its pairs recur in turn
            assert max(Counter(block).values()) - min(Counter(block).values()) <= 1


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2))
def test_processes_share_the_batches_of_one_process(world_size, identities, num_instances, epoch):
    dataset = Pairs([2, 5, 7, 3, 9, 1, 4, 6, 6, 8, 3, 2])
    batch_size = identities * num_instances
    together = in_process(0, 1, dataset, batch_size * world_size, num_instances, seed=4)
    ranks = [in_process(rank, world_size, dataset, batch_size, num_instances, seed=4) for rank in range(world_size)]
    for sampler in [together, *ranks]:
        sampler.set_epoch(epoch)
    assert {len(rank) for rank in ranks} == {len(together) // world_size}
    slices = [np.asarray(list(rank)).reshape(-1, batch_size) for rank in ranks]
    np.testing.assert_array_equal(np.concatenate(slices, axis=1).ravel(), list(together))


def test_plan_is_a_function_of_seed_and_epoch():
    def plan(seed, epoch):
        sampler = IdentitySampler(Pairs([6] * 20), 8, 2, seed=seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert plan(0, 3) == plan(0, 3)
    plans = [tuple(plan(seed, epoch)) for seed in range(3) for epoch in range(3)]
    assert len(set(plans)) == len(plans)

    sampler = IdentitySampler(Pairs([6] * 20), 8, 2, seed=0)
    sampler.set_epoch(3)
    assert list(sampler) == list(sampler) == plan(0, 3)


def test_over_epochs_pairs_and_partners_are_drawn_evenly():
    dataset = Pairs([5] * 8)
    sampler = IdentitySampler(dataset, 4, 2)
    used, partners, epochs = Counter(), Counter(), 400
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        items = list(sampler)
        used.update(items)
        partners.update(tuple(sorted(batch)) for batch in dataset.person_ids[items].reshape(-1, 2, 2)[..., 0].tolist())
    # 16 blocks fill 8 batches: 32 of 40 items, so that each is drawn in 4 of 5 epochs ...
    assert len(used) == 40
    assert all(abs(count / epochs - 0.8) < 0.1 for count in used.values())
    # ... and each of the 28 pairs of identities meets 8 / 28 times an epoch.
    assert len(partners) == 28
    assert all(abs(count / epochs - 8 / 28) < 0.13 for count in partners.values())


def test_full_size_plan_needs_little_memory():
    counts = 2 + np.random.default_rng(0).multinomial(68126 - 2 * 11003, np.full(11003, 1 / 11003))
    sampler = IdentitySampler(Pairs(counts), 128, 4)
    tracemalloc.start()
    items = list(sampler)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(items) == len(sampler)
    assert peak < 50e6


def test_built_by_mmengine_and_used_by_a_data_loader():
    dataset = Pairs([4] * 6)
    sampler = DATA_SAMPLERS.build(
        dict(type='IdentitySampler', batch_size=6, num_instances=2), default_args=dict(dataset=dataset, seed=1)
    )
    loader = DataLoader(dataset, batch_size=6, sampler=sampler)
    assert [batch.tolist() for batch in loader] == np.asarray(list(sampler)).reshape(-1, 6).tolist()
    assert isinstance(next(iter(sampler)), int)


def test_shortened_data_set_is_respected():
    class Shortened(Pairs):
        def __len__(self):
            return 20

    assert max(IdentitySampler(Shortened([6] * 20), 4, 2)) < 20


def test_data_set_without_length_and_random_seed():
    sampler = IdentitySampler(SimpleNamespace(person_ids=[3, 3, 9, 9]), 4, 2, seed=None)
    assert sorted(sampler) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ('dataset', 'sizes', 'error', 'message'),
    [
        (Pairs([4] * 4), (6, 4), ValueError, 'batch_size=6 is not a multiple of num_instances=4'),
        (Pairs([4] * 4), (0, 4), ValueError, 'batch_size must be at least 1'),
        (Pairs([4] * 4), (4, 0), ValueError, 'num_instances must be at least 1'),
        (Pairs([4] * 4), (10, 2), ValueError, '5 different identities, but the data set has only 4'),
        (Pairs([]), (2, 2), ValueError, 'only 0'),
        (range(5), (2, 2), TypeError, 'person_ids'),
        (SimpleNamespace(person_ids=[[1, 2]]), (2, 2), ValueError, 'one integer per item'),
        (SimpleNamespace(person_ids=['a', 'b']), (2, 2), ValueError, 'one integer per item'),
    ],
)
def test_errors_name_the_argument(dataset, sizes, error, message):
    with pytest.raises(error, match=message):
        IdentitySampler(dataset, *sizes)
