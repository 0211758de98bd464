"""No tensor of the CPU meets one of the GPU, and what is computed there is what the CPU computes; needs no GPU."""

import copy

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from pretended_gpu import PretendedGPU, to_cpu, to_gpu
from tiny_retriever import CONTRASTIVE_NECK, cm_moco_config, dual_stream_config, make_batch

from mmtbps.datasets import PackTBPSInputs
from mmtbps.evaluation import functional
from mmtbps.models import TBPSDataPreprocessor
from mmtbps.registry import MODELS

IMAGE_ARCH = dict(embed_dim=16, layers=2, width=32, head_width=16, patch_size=8)
TEXT_ARCH = dict(embed_dim=16, layers=2, width=32, heads=2, vocab_size=60)
CLIP = dict(
    image_stream=dict(type='ImageStream', backbone=dict(type='CLIPViT', arch=IMAGE_ARCH, input_size=(32, 32))),
    text_stream=dict(type='TextStream', backbone=dict(type='CLIPTextTransformer', arch=TEXT_ARCH)),
    image_projection=None,
    text_projection=None,
)
SHARED = dict(temperatures=dict(clip=dict(learnable=True)))
HEADS = dict(
    identity=dict(type='IdentityHead', num_classes=9, in_channels=16),
    cmpc=dict(type='CMPCHead', num_classes=9, in_channels=16),
    alignment=dict(type='AlignmentHead'),
    cmpm=dict(type='CMPMHead'),
    itc=dict(type='ITCHead', temperature='clip'),
    sdm=dict(type='SDMHead', temperature='clip'),
)
MODELS_TO_TRY = {
    'baseline': dual_stream_config(heads=HEADS, **SHARED),
    'cm-moco': cm_moco_config(heads=dict(HEADS, contrastive=dict(type='ContrastiveHead')), **SHARED),
    'cm-moco, own projections': cm_moco_config(contrastive_neck=CONTRASTIVE_NECK),
    'clip': dual_stream_config(heads=HEADS, **SHARED, **CLIP),
    'cm-moco on clip, whole batch excluded': cm_moco_config(
        heads=dict(contrastive=dict(type='ContrastiveHead', exclude='batch')), **CLIP
    ),
}


def to_gpu_but_lengths(batch):
    inputs = batch['inputs']
    moved = {name: to_gpu(inputs[name]) for name in ('images', 'tokens')}
    return dict(batch, inputs=dict(inputs, **moved))


def one_step(model, batch):
    """Two losses, the second with keys in the queue, and all that hooks do between them."""
    if hasattr(model, 'queue'):
        model.loss(**batch)
        model.update_key_encoders()
        model.queue.commit()
    losses = {name: value.detach() for name, value in model.loss(**batch).items()}
    model.eval()
    samples = model.predict(**batch)
    features = [(sample.image_feat.detach(), sample.text_feats.detach()) for sample in samples]
    return losses, features, dict(model.named_buffers())


@pytest.mark.parametrize('name', list(MODELS_TO_TRY))
def test_a_step_and_prediction(name):
    torch.manual_seed(0)
    model = MODELS.build(MODELS_TO_TRY[name])
    other = to_gpu(copy.deepcopy(model))
    expected = one_step(model, make_batch(5))
    with PretendedGPU():
        found = one_step(other, to_gpu_but_lengths(make_batch(5)))

    torch.testing.assert_close(to_cpu(found), expected, rtol=1e-4, atol=1e-5)


def test_tokens_and_attention_on_request():
    torch.manual_seed(0)
    stream = MODELS.build(CLIP['text_stream']).eval()
    inputs = make_batch(3)['inputs']
    with PretendedGPU():
        found = to_gpu(copy.deepcopy(stream))(
            to_gpu(inputs['tokens']), inputs['lengths'], with_tokens=True, with_attention=True
        )
        values = to_cpu([found.tokens.detach(), found.mask, found.attention.detach()])
    expected = stream(inputs['tokens'], inputs['lengths'], with_tokens=True, with_attention=True)
    torch.testing.assert_close(values, [expected.tokens, expected.mask, expected.attention])


def test_batches_are_made_on_the_device():
    items = [
        PackTBPSInputs()(
            dict(
                img=np.full((4, 6, 3), index, np.uint8),
                tokens=[[1, 2]] * (1 + index),
                erased=(0, 1, 2, 2),
                views=dict(second=dict(img=np.zeros((4, 6, 3), np.uint8)), masked=dict(tokens=[3], labels=[4])),
            )
        )
        for index in range(2)
    ]
    preprocessor = TBPSDataPreprocessor([1.0] * 3, [2.0] * 3)
    expected = preprocessor(pseudo_collate(items))['inputs']
    with PretendedGPU():
        found = to_gpu(copy.deepcopy(preprocessor))
        found._device = torch.device('cuda')
        inputs = found(pseudo_collate(items))['inputs']
    lengths = inputs.pop('lengths'), inputs['views']['masked'].pop('lengths')
    assert [values.device.type for values in lengths] == ['cpu', 'cpu']
    for part in (expected, expected['views']['masked']):
        del part['lengths']
    torch.testing.assert_close(to_cpu(inputs), expected)


@pytest.mark.parametrize(
    'function',
    [
        lambda query, gallery: functional.rank_features(query, [0, 1, 2, 3, 4], gallery, [*range(5)] * 4),
        lambda query, gallery: functional.rank_metrics(query @ gallery.T, [0, 1, 2, 3, 4], [*range(5)] * 4),
        lambda query, gallery: functional.neighbor_jaccard(query, gallery, k=3),
        lambda query, gallery: functional.k_reciprocal_distance(query, gallery, k1=5, k2=2),
        lambda query, gallery: functional.average_query_expansion(query, gallery, k=3),
        lambda query, gallery: functional.similarity_histogram(query, [0, 1, 2, 3, 4], gallery, [*range(5)] * 4),
    ],
)
def test_ranking_and_re_ranking(function):
    generator = torch.Generator().manual_seed(0)
    query, gallery = torch.randn(5, 8, generator=generator), torch.randn(20, 8, generator=generator)
    expected = function(query, gallery)
    with PretendedGPU():
        found = function(to_gpu(query), to_gpu(gallery))
        found = found.cpu() if isinstance(found, torch.Tensor) else found
    torch.testing.assert_close(found, expected)


def test_a_meeting_is_noticed():
    with (
        PretendedGPU(),
        pytest.raises(RuntimeError, match=r'add\.Tensor has tensors of shape'),
    ):
        torch.ones(3, device='cuda') + torch.ones(3)
