import pickle
import random
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from mmtbps.datasets import CUHKPEDES
from mmtbps.datasets.item_rng import ItemRNG


def draw(results):
    """A transform that draws from every generator that transforms use."""
    return dict(
        item=results['sample_idx'],
        drawn=(random.random(), np.random.rand(), np.random.randn(), torch.rand(2).tolist(), random.randint(0, 9)),
    )


@pytest.fixture
def dataset(cuhk_root):
    return CUHKPEDES(data_root=str(cuhk_root), pipeline=[draw])


def all_draws(dataset):
    return {i: str(dataset[i]['drawn']) for i in range(len(dataset))}


def test_a_function_of_seed_epoch_and_item(dataset):
    seen = {}
    for seed in (0, 1):
        for epoch in (0, 1):
            dataset.set_epoch(epoch, seed=seed)
            seen[seed, epoch] = all_draws(dataset)
    values = [drawn for draws in seen.values() for drawn in draws.values()]
    assert len(set(values)) == len(values) == 4 * 12
    dataset.set_epoch(0)
    assert all_draws(dataset) == seen[1, 0]
    dataset.set_epoch(0, seed=0)
    random.seed(99)
    np.random.seed(99)
    torch.manual_seed(99)
    assert {i: str(dataset[i]['drawn']) for i in reversed(range(12))} == seen[0, 0]
    assert str(dataset[-1]['drawn']) == seen[0, 0][11]


@pytest.mark.parametrize(
    'loader',
    [
        dict(num_workers=0),
        dict(num_workers=1),
        dict(num_workers=2, persistent_workers=True),
        dict(num_workers=2, persistent_workers=True, shuffle=True),
    ],
    ids=str,
)
def test_whatever_the_workers(dataset, loader):
    batches = DataLoader(dataset, batch_size=5, collate_fn=list, **loader)
    for epoch in (0, 1, 2, 0):
        dataset.set_epoch(epoch, seed=7)
        got = {item['item']: str(item['drawn']) for batch in batches for item in batch}
        assert got == all_draws(dataset)


def test_spawned_workers_follow_the_epoch():
    """What a spawned worker unpickles is the same memory; reading it back here spares starting an interpreter."""
    rng = ItemRNG(seed=3)
    twin = pickle.loads(bytes(ForkingPickler.dumps(rng)))
    for epoch in (0, 4):
        rng.set(epoch, seed=epoch + 1)
        with rng.item(5):
            expected = random.random(), np.random.rand(), torch.rand(1).item()
        with twin.item(5):
            assert (random.random(), np.random.rand(), torch.rand(1).item()) == expected


@pytest.mark.parametrize('fails', [False, True])
def test_the_process_own_generators_go_on_untouched(fails):
    rng = ItemRNG()
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        with rng.item(3):
            random.random(), np.random.randn(3), torch.randn(3)
            if fails:
                raise KeyError('broken')
    except KeyError:
        pass
    assert random.getstate() == before[0]
    assert str(np.random.get_state()) == str(before[1])
    assert torch.equal(torch.get_rng_state(), before[2])


def test_nested_items_do_not_disturb_each_other():
    """A transform may fetch an item of another data set."""
    outer, inner = ItemRNG(seed=1), ItemRNG(seed=2)

    def values():
        return random.random(), np.random.rand(), torch.rand(1).item()

    with outer.item(0):
        first, second = values(), values()
    with outer.item(0):
        assert values() == first
        with inner.item(9):
            values()
        assert values() == second


def test_numpy_draws_are_fit_for_use():
    """Neighbouring items draw unrelated numbers: means and correlation as of independent ones."""
    rng = ItemRNG()
    drawn = []
    for item in range(400):
        with rng.item(item):
            drawn.append((random.random(), np.random.rand(), torch.rand(1).item()))
    drawn = np.array(drawn)
    assert np.abs(drawn.mean(0) - 0.5).max() < 4 * (1 / 12 / 400) ** 0.5
    columns = np.concatenate([drawn[:-1], drawn[1:]], axis=1)
    correlation = np.corrcoef(columns.T) - np.eye(6)
    assert np.abs(correlation).max() < 0.2


@pytest.mark.parametrize(('epoch', 'seed'), [(-1, None), (0, -5)])
def test_negative_numbers_are_refused(epoch, seed):
    with pytest.raises(ValueError, match='must not be negative, but got -'):
        ItemRNG().set(epoch, seed)
