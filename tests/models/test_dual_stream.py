"""The baseline retriever as a whole."""

import copy

import pytest
import torch
from mmengine.model import BaseModel
from tiny_retriever import VOCAB_SIZE, dual_stream_config, make_batch, make_samples
from torch.nn import functional as F

from mmtbps.registry import MODELS


@pytest.fixture
def model():
    torch.manual_seed(0)
    return MODELS.build(dual_stream_config())


def test_losses_are_those_of_the_heads_and_add_up(model):
    batch = make_batch(6)
    model.eval()
    losses = model(**batch, mode='loss')
    assert list(losses) == ['identity.loss', 'alignment.loss']
    image, text = model(batch['inputs'], mode='tensor')
    ids = torch.tensor([sample.person_id for sample in batch['data_samples']])
    pairs = model.embed_pairs(batch['inputs'], ids)
    torch.testing.assert_close((pairs.image, pairs.text), (image, text))
    torch.testing.assert_close(losses['alignment.loss'], model.heads['alignment'].loss(pairs)['loss'])
    total, logged = BaseModel.parse_losses(model, losses)
    torch.testing.assert_close(total, sum(losses.values()))
    assert set(logged) == {'loss', *losses}


def test_every_weight_gets_a_gradient(model):
    sum(model.loss(**make_batch(6)).values()).backward()
    missing = [name for name, weight in model.named_parameters() if weight.grad is None]
    assert not missing


def test_loss_moves_nothing_but_running_statistics(model):
    before = copy.deepcopy(model.state_dict())
    batch = make_batch(6)
    first = model.loss(**batch)
    torch.testing.assert_close(model.loss(**batch), first, rtol=0, atol=0)
    for name, value in model.state_dict().items():
        if 'running' not in name and 'tracked' not in name:
            assert torch.equal(value, before[name]), name


def test_features_do_not_depend_on_the_batch(model):
    model.eval()
    inputs = make_batch(7)['inputs']
    with torch.no_grad():
        image, text = model(inputs)
        for i in range(7):
            length = inputs['lengths'][i : i + 1]
            alone = model.encode_image(inputs['images'][i : i + 1])
            sentence = model.encode_text(inputs['tokens'][i : i + 1, : length.item()], length)
            torch.testing.assert_close(F.normalize(alone[0], dim=0), F.normalize(image[i], dim=0), rtol=0, atol=1e-5)
            torch.testing.assert_close(F.normalize(sentence[0], dim=0), F.normalize(text[i], dim=0), rtol=0, atol=1e-5)


@pytest.mark.parametrize('counts', [[2, 0, 3, 1], [0, 0, 0, 0]])
def test_predict_gives_one_result_per_image(model, counts):
    model.eval()
    inputs = make_batch(sum(counts) or 1)['inputs']
    inputs.update(
        images=torch.randn(len(counts), 3, 32, 32),
        tokens=inputs['tokens'][: sum(counts)],
        lengths=inputs['lengths'][: sum(counts)],
        captions_per_image=counts,
    )
    samples = make_samples(range(len(counts)))
    with torch.no_grad():
        results = model(inputs, samples, mode='predict')
        images = model.encode_image(inputs['images'])
    assert [result.person_id for result in results] == list(range(len(counts)))
    assert [tuple(result.text_feats.shape) for result in results] == [(count, 16) for count in counts]
    torch.testing.assert_close(torch.stack([result.image_feat for result in results]), images)
    if sum(counts):
        texts = model.encode_text(inputs['tokens'], inputs['lengths'])
        torch.testing.assert_close(torch.cat([result.text_feats for result in results]), texts.detach())
    assert len(model.predict(inputs)) == len(counts)


def test_autocast_gives_single_precision_embeddings(model):
    batch = make_batch(4)
    with torch.autocast('cpu', torch.bfloat16):
        image, text = model(batch['inputs'])
        losses = model.loss(**batch)
    assert {value.dtype for value in (image, text, *losses.values())} == {torch.float32}


def test_any_backbone_of_mmpretrain():
    backbone = dict(type='ResNet', depth=18, base_channels=8, stem_channels=8, strides=(1, 2, 2, 1), out_indices=(2, 3))
    for kind in ('ResNet', 'mmpretrain.ResNet'):
        stream = dict(type='ImageStream', backbone=dict(backbone, type=kind), neck=dict(type='GlobalAveragePooling'))
        assert MODELS.build(stream)(torch.rand(2, 3, 32, 32)).shape == (2, 64)
    with pytest.raises(ValueError, match=r'ImageStream: .*got shape \(2, 64, 2, 2\); add a neck that pools'):
        MODELS.build(dict(type='ImageStream', backbone=backbone))(torch.rand(2, 3, 32, 32))


def test_a_frozen_table_of_words():
    table = dict(type='WordEmbedding', vocab_size=VOCAB_SIZE, embed_dims=12, frozen=True)
    stream = MODELS.build(dict(type='TextStream', backbone=table, neck=dict(type='BiGRUNeck', in_channels=12)))
    assert not stream.backbone.table.weight.requires_grad
    assert 'backbone.table.weight' in stream.state_dict()
    with pytest.raises(ValueError, match='TextStream: expected one feature per item'):
        MODELS.build(dict(type='TextStream', backbone=table))(torch.ones(1, 3, dtype=torch.long), torch.tensor([3]))
    with pytest.raises(ValueError, match=r'vocab_size is None; call mmtbps.apis.resolve_data_sizes\(cfg\)'):
        MODELS.build(dict(table, vocab_size=None))


def test_unfit_input(model):
    batch = make_batch(4)
    with pytest.raises(ValueError, match='4 images, 4 captions and 3 samples'):
        model.loss(batch['inputs'], batch['data_samples'][:3])
    with pytest.raises(ValueError, match="'predict', got 'train'"):
        model(**batch, mode='train')
