"""The head of momentum contrast compares in single precision, whatever precision the model trains in."""

import pytest
import torch
from tiny_retriever import cm_moco_config, make_batch

from mmtbps.registry import MODELS


@pytest.fixture
def trained():
    """A retriever whose queue has keys and that has seen a batch."""
    torch.manual_seed(0)
    model = MODELS.build(cm_moco_config())
    model.init_weights()
    for seed in range(3):
        model.loss(**make_batch(6, seed=seed))
        model.queue.commit()
    model.loss(**make_batch(6, seed=3))
    return model


def tensors(similarities):
    return {
        f'{direction}.{name}': getattr(row, name) for direction, row in similarities.items() for name in row._fields
    }


@pytest.mark.parametrize('half', [torch.bfloat16, torch.float16])
def test_autocast_changes_no_similarity_and_no_loss(trained, half):
    head, pairs = trained.heads['contrastive'], trained.latest_pairs
    expected, losses = tensors(head.similarities(pairs)), head.loss(pairs)
    with torch.autocast('cpu', half):
        found, mixed = tensors(head.similarities(pairs)), head.loss(pairs)
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
        assert found[name].dtype is value.dtype, name
    assert {name: value.item() for name, value in mixed.items()} == {
        name: value.item() for name, value in losses.items()
    }


@pytest.mark.parametrize('half', [torch.bfloat16, torch.float16])
def test_a_queue_in_half_precision_is_compared_in_single_precision(trained, half):
    head, pairs = trained.heads['contrastive'], trained.latest_pairs
    trained.queue.to(half)
    found = tensors(head.similarities(pairs))
    trained.queue.float()
    for name, value in tensors(head.similarities(pairs)).items():
        assert torch.equal(found[name], value), name
        assert found[name].dtype is value.dtype, name
