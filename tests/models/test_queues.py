"""The ring against the whole history of keys."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses import FakeTensorMode
from torch.nn import functional as F

from mmtbps.models import CrossModalQueue


def commit(queue, image, text, ids):
    queue.stage(image, text, ids)
    queue.commit()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 7), st.lists(st.integers(1, 17), min_size=1, max_size=6))
def test_holds_the_latest_keys(size, batches):
    queue = CrossModalQueue(size, dim=3)
    history = []
    for number, count in enumerate(batches):
        image, text = torch.randn(2, count, 3)
        ids = 100 * number + torch.arange(count)
        history.extend(zip(image, text, ids, strict=True))
        commit(queue, image, text, ids)

        slots = [None] * size
        for position, entry in enumerate(history):
            slots[position % size] = entry
        for column, entry in enumerate(slots):
            if entry is None:
                assert queue.person_ids[column] == -1
                assert not queue.valid[column]
                continue
            assert torch.equal(queue.image[:, column], entry[0])
            assert torch.equal(queue.text[:, column], entry[1])
            assert queue.person_ids[column] == entry[2]
        assert queue.pointer == len(history) % size
        assert queue.fill == min(len(history), size) == queue.valid.sum()


def test_the_latest_staged_keys_count_and_only_once():
    queue = CrossModalQueue(4, 2)
    first, second = torch.ones(1, 2), torch.full((1, 2), 2.0)
    queue.stage(first, first, torch.tensor([1]))
    assert not queue.image.any()
    commit(queue, second, second, torch.tensor([2]))
    assert queue.person_ids.tolist() == [2, -1, -1, -1]
    assert not queue.staged
    with pytest.raises(RuntimeError, match='no keys are staged'):
        queue.commit()
    queue.stage(first, first, torch.tensor([1]))
    queue.discard()
    with pytest.raises(RuntimeError, match='no keys are staged'):
        queue.commit()


@pytest.mark.parametrize('dtype', [torch.float64, torch.bfloat16, torch.float16])
def test_keeps_its_own_dtype(dtype):
    queue = CrossModalQueue(3, 2).to(dtype)
    keys = torch.tensor([[0.6, 0.8]])
    commit(queue, keys, keys, torch.tensor([5]))
    assert queue.image.dtype is dtype
    assert torch.equal(queue.image[:, 0], keys[0].to(dtype))
    assert queue.person_ids.dtype is torch.int64


@pytest.mark.parametrize('dtype', [torch.int32, torch.int16, torch.uint8])
def test_identities_of_other_integers(dtype):
    queue = CrossModalQueue(3, 2)
    commit(queue, torch.rand(2, 2, dtype=torch.bfloat16), torch.rand(2, 2), torch.tensor([5, 7], dtype=dtype))
    assert queue.person_ids.tolist() == [5, 7, -1]
    assert queue.person_ids.dtype is torch.int64


def test_all_of_it_is_saved():
    queue = CrossModalQueue(3, 2)
    commit(queue, *torch.randn(2, 4, 2), torch.arange(4))
    resumed = CrossModalQueue(3, 2)
    resumed.load_state_dict(copy.deepcopy(queue.state_dict()))
    keys = torch.randn(2, 2, 2)
    for each in (queue, resumed):
        commit(each, *keys, torch.tensor([8, 9]))
    assert resumed.person_ids.tolist() == [3, 8, 9]
    for name, value in queue.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])


def test_random_slots_are_normalised_noise_that_counts():
    torch.manual_seed(0)
    queue = CrossModalQueue(50, 8, random_init=True)
    for slots in (queue.image, queue.text):
        assert (slots > 0).all()
        torch.testing.assert_close(slots, F.normalize(slots, dim=0))
    assert not torch.equal(queue.image, queue.text)
    assert queue.valid.all()
    assert (queue.person_ids == -1).all()
    assert queue.fill == 0


def test_shapes_are_checked():
    queue = CrossModalQueue(4, 3)
    with pytest.raises(ValueError, match=r'text_keys must have shape \(2, 3\).*got \(2, 4\)'):
        queue.stage(torch.rand(2, 3), torch.rand(2, 4), torch.arange(2))
    for ids in (torch.zeros(2, 1, dtype=torch.int64), torch.zeros(2), torch.tensor([True, False])):
        with pytest.raises(ValueError, match='person_ids must be integers of shape'):
            queue.stage(torch.rand(2, 3), torch.rand(2, 3), ids)
    with pytest.raises(ValueError, match='at least 1, got 0 and 3'):
        CrossModalQueue(0, 3)


@pytest.mark.parametrize('ids', [[-1, 3], [3, -7]])
def test_no_identity_is_negative(ids):
    queue = CrossModalQueue(4, 3)
    with pytest.raises(ValueError, match=f'must not be negative, got {min(ids)}; -1 marks an empty slot'):
        queue.stage(torch.rand(2, 3), torch.rand(2, 3), torch.tensor(ids))
    assert not queue.staged


def test_on_a_device_staging_waits_for_no_value():
    """A fake tensor has no values: looking at one is an error."""
    with FakeTensorMode(), torch.device('cuda'):
        queue = CrossModalQueue(4, 3)
        queue.stage(torch.rand(2, 3), torch.rand(2, 3), torch.arange(2))
        assert queue.staged
