"""What heads read, by name."""

import pytest
import torch
from mmengine.structures import BaseDataElement
from tiny_clip import IMAGE_ARCH, TEXT_ARCH
from tiny_retriever import cm_moco_config, dual_stream_config, make_batch
from torch.nn import functional as F

from mmtbps.models import BaseHead, CMMoCoRetriever, CrossModalQueue, DualStreamRetriever, PairEmbeddings
from mmtbps.models.structures import ContrastEmbeddings
from mmtbps.registry import MODELS


def test_detach_keeps_every_field():
    leaf = torch.rand(4, 3, requires_grad=True)
    queue = CrossModalQueue(5, 3)
    pairs = PairEmbeddings(
        image=leaf * 2,
        text=leaf * 3,
        person_ids=torch.arange(4),
        views=BaseDataElement(second=BaseDataElement(image=leaf * 4, labels=torch.arange(4))),
        contrast=ContrastEmbeddings(image_queries=leaf * 5, queue=queue),
        mine=leaf * 6,
    )
    detached = pairs.detach()

    assert type(detached) is PairEmbeddings
    assert sorted(detached.keys()) == sorted(pairs.keys())
    for values in (detached.image, detached.views.second.image, detached.contrast.image_queries, detached.mine):
        assert not values.requires_grad
    assert pairs.mine.requires_grad
    assert detached.contrast.queue is queue


def test_what_is_not_there_is_named_with_a_remedy():
    pairs = PairEmbeddings(image=torch.rand(2, 3))
    with pytest.raises(AttributeError, match=r"has no 'tokens', only \['image'\]. .*needs = \('tokens.image'"):
        _ = pairs.tokens
    assert pairs.get('tokens') is None
    assert 'tokens' not in pairs


@MODELS.register_module()
class Curious(BaseHead):
    """Reads all there is."""

    needs = ('tokens.image', 'tokens.text.attention', 'views.masked.tokens', 'views.second', 'indices')

    def compute_losses(self, pairs):
        masked = pairs.views.masked
        assert masked.text.shape == pairs.text.shape
        assert masked.tokens.tokens.shape[:2] == masked.labels.shape
        assert pairs.views.second.image.shape == pairs.image.shape
        assert 'tokens' not in pairs.views.second
        assert 'attention' not in pairs.tokens.image
        self.seen = pairs
        return {'loss': masked.text.mean() + pairs.tokens.image.tokens.mean() + pairs.tokens.text.attention.var()}


def clip_config(**changes):
    return dual_stream_config(
        image_stream=dict(type='ImageStream', backbone=dict(type='CLIPViT', arch=IMAGE_ARCH, input_size=(32, 32))),
        text_stream=dict(type='TextStream', backbone=dict(type='CLIPTextTransformer', arch=TEXT_ARCH)),
        image_projection=None,
        text_projection=None,
        **changes,
    )


def test_a_head_gets_what_it_needs():
    model = MODELS.build(clip_config(heads=dict(curious=dict(type='mmtbps.Curious'))))
    batch = make_batch(3)
    for index, sample in enumerate(batch['data_samples']):
        sample.set_field(10 + index, 'sample_idx')
    inputs = batch['inputs']
    inputs['views'] = dict(
        second=dict(images=inputs['images'].flip(3)),
        nobodys=dict(images=None),  # would fail if it were embedded
        masked=dict(
            tokens=inputs['tokens'][:, : inputs['lengths'].max()],
            lengths=inputs['lengths'],
            labels=inputs['tokens'][:, : inputs['lengths'].max()],
        ),
    )
    losses = model.loss(**batch)
    pairs = model.heads['curious'].seen

    assert pairs.indices.tolist() == [10, 11, 12]
    torch.testing.assert_close(pairs.image, model.encode_image(inputs['images']))
    torch.testing.assert_close(pairs.views.second.image, model.encode_image(inputs['images'].flip(3)))
    torch.testing.assert_close(pairs.views.masked.text, pairs.text)
    losses['curious.loss'].backward()


def test_clip_without_projections_is_clip():
    torch.manual_seed(0)
    model = MODELS.build(clip_config(heads=dict(itc=dict(type='ITCHead')))).eval()
    inputs = make_batch(4)['inputs']
    image, text = model(inputs)

    assert torch.equal(image, model.image_stream.backbone(inputs['images']))
    assert torch.equal(text, model.text_stream.backbone(inputs['tokens'], inputs['lengths']))
    assert not [name for name in model.state_dict() if 'projection.' in name.removeprefix('text_stream.backbone.')]


def test_momentum_contrast_without_projections():
    config = dict(clip_config(), type='CMMoCoRetriever', queue=dict(size=8, dim=16))
    config['heads'] = dict(contrastive=dict(type='ContrastiveHead'))
    model = MODELS.build(config)
    batch = make_batch(4)
    assert set(model.loss(**batch)) == {'contrastive.loss_i2t', 'contrastive.loss_t2i'}
    model.queue.commit()
    image = model.key_encoders['image_stream'](batch['inputs']['images'])
    torch.testing.assert_close(model.queue.image[:, :4].t(), F.normalize(image, dim=1))


def test_a_head_that_needs_what_a_retriever_lacks_is_refused_when_built():
    assert 'contrast' in CMMoCoRetriever.provides
    assert 'contrast' not in DualStreamRetriever.provides
    with pytest.raises(ValueError, match=r"heads\.c: ContrastiveHead needs 'contrast', which DualStreamRetriever does"):
        MODELS.build(dual_stream_config(heads=dict(c=dict(type='ContrastiveHead'))))


def test_loss_in_eval_mode_stages_nothing():
    model = MODELS.build(cm_moco_config())
    model.eval()
    batch = make_batch(4)
    model.loss(**batch)
    assert not model.queue.staged
    model.train()
    losses = model.loss(**batch)
    model.parse_losses(losses)
    model.queue.commit()
    model.eval()
    model.loss(**batch)
    model.train()
    model.parse_losses(model.loss(**batch))


def test_samples_without_an_identity_are_named():
    batch = make_batch(2)
    del batch['data_samples'][1].person_id
    with pytest.raises(ValueError, match='needs the person_id of every data sample'):
        MODELS.build(dual_stream_config()).loss(**batch)
