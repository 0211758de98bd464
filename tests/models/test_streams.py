"""Streams: what they give when asked, and what they refuse."""

import pytest
import timm
import torch
from mmengine.model import BaseModule
from mmengine.registry import init_default_scope
from tiny_clip import IMAGE_ARCH, TEXT_ARCH
from torch import nn

from mmtbps.models import ImageStream, TextStream
from mmtbps.registry import MODELS

VIT = dict(type='CLIPViT', arch=IMAGE_ARCH, input_size=(48, 16))
TEXT = dict(type='CLIPTextTransformer', arch=TEXT_ARCH)
RESNET = dict(type='CLIPResNet', layers=(1, 1, 1, 1), width=4, input_size=(64, 32), pool=None)
TOKENS, LENGTHS = torch.tensor([[5, 6, 7, 8], [5, 8, 0, 0], [5, 9, 8, 0]]), torch.tensor([4, 2, 3])


@MODELS.register_module()
class StrongestToken(BaseModule):
    """The token that the pooled position attends to most."""

    needs_tokens = needs_attention = True

    def forward(self, features):
        strongest = features.attention.argmax(dim=1)
        return features.tokens[torch.arange(len(strongest)), strongest]


@MODELS.register_module()
class MeanToken(BaseModule):
    needs_tokens = True

    def forward(self, features):
        assert 'attention' not in features
        weights = features.mask[..., None] / features.mask.sum(dim=1)[:, None, None]
        return (features.tokens * weights).sum(dim=1)


def test_image_tokens_on_request():
    torch.manual_seed(0)
    stream = ImageStream(VIT).eval()
    images = torch.rand(3, 3, 48, 16)
    features = stream(images, with_tokens=True, with_attention=True)

    torch.testing.assert_close(features.pooled, stream(images))
    assert torch.equal(features.pooled, features.tokens[:, 0])
    assert features.tokens.shape == (3, 1 + 6 * 2, 16)
    torch.testing.assert_close(features.attention.sum(dim=1), torch.ones(3))
    with pytest.raises(AttributeError, match=r"has no 'attention', only \['mask', 'pooled', 'tokens'\]"):
        _ = stream(images, with_tokens=True).attention


def test_attention_is_torch_s_own():
    torch.manual_seed(0)
    tower = TextStream(TEXT).eval().backbone
    seen = {}
    last = tower.transformer.resblocks[-1]
    last.register_forward_pre_hook(lambda _, inputs, options: seen.update(x=inputs[0], **options), with_kwargs=True)
    attention = tower(TOKENS, LENGTHS, with_tokens=True, with_attention=True).attention
    normed = last.ln_1(seen['x'])
    weights = last.attn(normed, normed, normed, attn_mask=seen['attn_mask'], need_weights=True)[1]

    torch.testing.assert_close(attention, weights[torch.arange(3), LENGTHS - 1])
    assert attention[1, 2:].tolist() == [0, 0]


def test_nobody_asks_for_weights_elsewhere(monkeypatch):
    asked = []
    forward = nn.MultiheadAttention.forward

    def spy(self, *args, **kwargs):
        asked.append(kwargs['need_weights'])
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(nn.MultiheadAttention, 'forward', spy)
    ImageStream(VIT)(torch.rand(2, 3, 48, 16), with_tokens=True, with_attention=True)

    assert asked == [False, False]


@pytest.mark.parametrize('with_cp', [False, True])
def test_a_neck_that_reads_tokens(with_cp):
    torch.manual_seed(0)
    for neck in ('StrongestToken', 'MeanToken'):
        image = ImageStream(dict(VIT, with_cp=with_cp), dict(type=f'mmtbps.{neck}'))
        text = TextStream(dict(TEXT, with_cp=with_cp), dict(type=f'mmtbps.{neck}'))
        for stream, inputs in ((image, [torch.rand(3, 3, 48, 16)]), (text, [TOKENS, LENGTHS])):
            feature = stream(*inputs)
            features = stream(*inputs, with_tokens=True)
            assert torch.equal(features.pooled, feature)
            assert feature.shape == (3, 16)
            feature.sum().backward()
            assert stream.backbone.transformer.resblocks[0].attn.in_proj_weight.grad is not None


def test_padding_does_not_reach_a_neck_that_heeds_the_mask():
    torch.manual_seed(0)
    stream = TextStream(TEXT, dict(type='mmtbps.MeanToken')).eval()
    torch.testing.assert_close(stream(TOKENS, LENGTHS)[1], stream(TOKENS[1:2, :2], LENGTHS[1:2])[0])


def test_a_backbone_without_tokens_is_refused_where_they_are_needed():
    with pytest.raises(ValueError, match=r'MeanToken reads all positions of a tower .* CLIPResNet gives none'):
        ImageStream(RESNET, dict(type='mmtbps.MeanToken'))
    with pytest.raises(ValueError, match='CLIPResNet with GlobalAveragePooling as neck gives no tokens'):
        ImageStream(RESNET, dict(type='mmpretrain.GlobalAveragePooling'))(torch.rand(2, 3, 64, 32), with_tokens=True)


@pytest.mark.parametrize(
    ('name', 'complaint'),
    [('test_vit', r'gives \(2, 49, 64\), tokens'), ('swin_tiny_patch4_window7_224', r'a map with the channels last')],
)
def test_what_a_pooling_neck_cannot_pool_is_refused(name, complaint):
    init_default_scope('mmtbps')

    @MODELS.register_module(force=True)
    class TimmFeatures(BaseModule):
        def __init__(self, name):
            super().__init__()
            size = dict(img_size=(96, 32)) if 'swin' in name else dict(img_size=(192, 64))
            small = dict(embed_dim=12, depths=(1, 1), num_heads=(1, 1), window_size=4) if 'swin' in name else {}
            self.body = timm.create_model(name, num_classes=0, **size, **small)

        def forward(self, images):
            return self.body.forward_features(images)

    size = (96, 32) if 'swin' in name else (192, 64)
    stream = ImageStream(dict(type='TimmFeatures', name=name), dict(type='GlobalAveragePooling'))
    with pytest.raises(ValueError, match=complaint):
        stream(torch.rand(2, 3, *size))


@pytest.mark.parametrize('size', [(64, 32), (96, 32), (48, 48), (33, 80)])
def test_maps_with_the_channels_first_are_pooled(size):
    stream = ImageStream(
        dict(type='mmpretrain.ResNet', depth=18, base_channels=8, stem_channels=8, out_indices=(1,)),
        dict(type='mmpretrain.GlobalAveragePooling'),
    )
    assert stream(torch.rand(2, 3, *size)).shape[0] == 2
