"""Momentum keys: what moves, what does not, and where keys and queries start."""

import copy

import pytest
import torch
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from tiny_retriever import CONTRASTIVE_NECK, cm_moco_config, dual_stream_config, make_batch
from torch import nn
from torch.nn import functional as F

from mmtbps.registry import MODELS

NECKS = pytest.mark.parametrize('neck', [None, CONTRASTIVE_NECK], ids=['shared projection', 'own projections'])


def build(seed=0, **changes):
    torch.manual_seed(seed)
    model = MODELS.build(cm_moco_config(**changes))
    model.init_weights()
    return model


def split(model):
    """Parameters and buffers of the queries and of the keys, by the same names."""
    state = model.state_dict()
    root = 'key_encoders.'
    keys = {name.removeprefix(root): value for name, value in state.items() if name.startswith(root)}
    return {name: state[name] for name in keys}, keys


def parameter_names(model):
    return {name for name, _ in model.named_parameters()}


@NECKS
def test_keys_start_as_copies_without_gradient(neck):
    model = build(contrastive_neck=neck)
    queries, keys = split(model)
    assert any('running_mean' in name for name in keys)
    assert any('contrastive_neck' in name for name in keys) == (neck is not None)
    for name, key in keys.items():
        assert torch.equal(key, queries[name])
    assert not any(weight.requires_grad for weight in model.key_encoders.parameters())
    sum(model.loss(**make_batch(6)).values()).backward()
    assert all(weight.grad is None for weight in model.key_encoders.parameters())
    pointers = {weight.data_ptr() for weight in model.key_encoders.parameters()}
    assert pointers.isdisjoint(weight.data_ptr() for weight in model.parameters() if weight.requires_grad)


@NECKS
def test_update_moves_every_parameter_and_no_buffer(neck):
    model = build(contrastive_neck=neck, momentum=0.75)
    model.train()
    batch = make_batch(6)
    optimizer = torch.optim.SGD([w for w in model.parameters() if w.requires_grad], lr=0.1)
    for _ in range(2):
        sum(model.loss(**batch).values()).backward()
        optimizer.step()
        model.queue.commit()
    queries, before = ({name: value.clone() for name, value in part.items()} for part in split(model))
    model.update_key_encoders()
    names = parameter_names(model)
    for name, key in split(model)[1].items():
        if name in names:
            torch.testing.assert_close(key, 0.75 * before[name] + 0.25 * queries[name])
        else:
            assert torch.equal(key, before[name])
    for name, query in split(model)[0].items():
        assert torch.equal(query, queries[name])
    model.update_key_encoders(momentum=0.0)
    for name, key in split(model)[1].items():
        if name in names:
            torch.testing.assert_close(key, queries[name])


def test_update_of_mixed_dtypes():
    model = build(momentum=0.5)
    model.key_encoders['text_stream'].bfloat16()
    model.text_stream.bfloat16()
    with torch.no_grad():
        model.text_stream.backbone.table.weight.add_(1)
        model.image_stream.backbone.bn1.bias.add_(1)
    before = copy.deepcopy(model.key_encoders.state_dict())
    model.update_key_encoders()
    after = model.key_encoders.state_dict()
    for name in ('text_stream.backbone.table.weight', 'image_stream.backbone.bn1.bias'):
        torch.testing.assert_close(after[name].float(), before[name].float() + 0.5, atol=0.02, rtol=0)


def test_keys_have_statistics_of_their_own():
    model = build().train()
    batch = make_batch(6)
    name = 'image_stream.backbone.bn1.running_mean'
    model.loss(**batch)
    queries, keys = split(model)
    assert torch.equal(queries[name], keys[name])
    with torch.no_grad():
        model.image_stream.backbone.conv1.weight.mul_(3)
    model.loss(**batch)
    assert not torch.allclose(queries[name], keys[name])


@NECKS
def test_loss_can_be_called_any_number_of_times(neck):
    model = build(contrastive_neck=neck)
    model.queue.stage(*F.normalize(torch.randn(2, 20, 16), dim=2), torch.arange(20) % 9)
    model.queue.commit()
    before = copy.deepcopy(model.state_dict())
    batch = make_batch(6)
    first = model.loss(**batch)
    model.loss(**make_batch(4, seed=1))
    torch.testing.assert_close(model.loss(**batch), first, rtol=0, atol=0)
    for name, value in model.state_dict().items():
        if 'running' not in name and 'tracked' not in name:
            assert torch.equal(value, before[name]), name
    assert first['contrastive.loss_i2t'] > 0


@NECKS
def test_the_latest_keys_enter_the_queue(neck):
    model = build(contrastive_neck=neck)
    model.loss(**make_batch(4, seed=1))
    batch = make_batch(6)
    model.loss(**batch)
    model.queue.commit()
    inputs, keys = batch['inputs'], model.key_encoders
    image = keys['image_stream'](inputs['images'])
    text = keys['text_stream'](inputs['tokens'], inputs['lengths'])
    image_projection, text_projection = model.image_projection, model.text_projection
    if neck:
        image_projection, text_projection = keys['contrastive_neck']['image'], keys['contrastive_neck']['text']
    torch.testing.assert_close(model.queue.image[:, :6].t(), F.normalize(image_projection(image), dim=1))
    torch.testing.assert_close(model.queue.text[:, :6].t(), F.normalize(text_projection(text), dim=1))
    assert model.queue.person_ids[:6].tolist() == [sample.person_id for sample in batch['data_samples']]
    assert model.queue.pointer == model.queue.fill == 6


def test_own_projections_serve_the_contrast_alone():
    model = build(contrastive_neck=CONTRASTIVE_NECK)
    model.queue.stage(*F.normalize(torch.randn(2, 20, 16), dim=2), torch.arange(20) % 9)
    model.queue.commit()
    losses = model.loss(**make_batch(6))
    contrast = losses['contrastive.loss_i2t'] + losses['contrastive.loss_t2i']
    projections = [model.image_projection.linear.weight, model.text_projection.linear.weight]
    necks = list(model.contrastive_neck.parameters())
    assert all(g is None for g in torch.autograd.grad(contrast, projections, retain_graph=True, allow_unused=True))
    assert all(g.any() for g in torch.autograd.grad(contrast, necks, retain_graph=True))
    assert all(g is None for g in torch.autograd.grad(losses['alignment.loss'], necks, allow_unused=True))


def test_published_initialisation():
    model = build(published_init=True, contrastive_neck=CONTRASTIVE_NECK)
    plain = build(contrastive_neck=CONTRASTIVE_NECK)
    queries, keys = split(model)
    parts = ('image_stream.', 'text_stream.', 'contrastive_neck.', 'key_encoders.')
    linears = {
        name for name, module in plain.named_modules() if isinstance(module, nn.Linear) and name.startswith(parts)
    }
    assert 'image_stream.backbone.attnpool.q_proj' in linears
    for name, weight in plain.state_dict().items():
        module, _, kind = name.rpartition('.')
        published = model.state_dict()[name]
        if module not in linears:
            assert torch.equal(published, weight), name
        elif kind == 'bias':
            assert not published.any()
        else:
            assert not torch.allclose(published, weight)
            assert published.std().item() == pytest.approx((2 / len(weight)) ** 0.5, rel=0.25)
    for name, key in keys.items():
        module, _, kind = name.rpartition('.')
        assert torch.equal(key, queries[name]) == (module not in linears or kind == 'bias')


def test_initialising_again_changes_nothing():
    model = build()
    with torch.no_grad():
        model.image_stream.backbone.conv1.weight.add_(1)
    before = copy.deepcopy(model.state_dict())
    model.init_weights()
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize('strict', ['torch', 'mmengine'])
def test_a_baseline_starts_queries_and_keys(strict):
    torch.manual_seed(5)
    baseline = MODELS.build(dual_stream_config())
    model = build()
    state = baseline.state_dict()
    if strict == 'torch':
        missing = model.load_state_dict(state, strict=False).missing_keys
        assert all(name.startswith('queue.') for name in missing)
    else:
        _load_checkpoint_to_model(model, {'state_dict': state})
    queries, keys = split(model)
    for name, key in keys.items():
        assert torch.equal(key, queries[name])
        assert torch.equal(key, baseline.state_dict()[name])


def test_its_own_checkpoint_brings_its_own_keys():
    model, other = build(0, published_init=True), build(1)
    other.load_state_dict(model.state_dict())
    for name, value in other.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])


def test_retrieval_uses_the_linear_embedding():
    model = build(contrastive_neck=CONTRASTIVE_NECK)
    model.eval()
    inputs = make_batch(3)['inputs']
    expected = model.image_projection(model.image_stream(inputs['images']))
    torch.testing.assert_close(model.encode_image(inputs['images']), expected)


def test_autocast():
    model = build()
    with torch.autocast('cpu', torch.bfloat16):
        losses = model.loss(**make_batch(6))
    assert {value.dtype for value in losses.values()} == {torch.float32}
    sum(losses.values()).backward()
    model.queue.commit()
    torch.testing.assert_close(model.queue.image[:, :6].norm(dim=0), torch.ones(6))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(momentum=1.1), r'momentum must be in 0\.\.1, got 1\.1'),
        (dict(contrastive_neck=dict(image=CONTRASTIVE_NECK['image'])), "needs the configs 'image' and 'text', got"),
        (dict(heads=dict(alignment=dict(type='AlignmentHead'))), r"no ContrastiveHead among the heads \['alignment'\]"),
    ],
)
def test_wrong_arguments(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)


def test_queue_of_another_length():
    with pytest.raises(ValueError, match=r'image_keys must have shape \(4, 8\)'):
        build(queue=dict(size=20, dim=8)).loss(**make_batch(4))
