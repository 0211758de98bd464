import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmpretrain.engine.optimizers import LearningRateDecayOptimWrapperConstructor
from tiny_clip import IMAGE_ARCH, TEXT_ARCH, tiny_clip
from torch import nn

from mmtbps.datasets import CLIPTokenizer
from mmtbps.models import CLIPTextTransformer, CLIPViT
from mmtbps.models.clip.tower import read_arch
from mmtbps.registry import MODELS

SENTENCES = ['', 'a man', 'a woman in a turquoise t-shirt', 'red']


def make_batch(sentences, context_length=20):
    tokenizer = CLIPTokenizer(context_length)
    rows = [torch.tensor(tokenizer.encode(sentence)) for sentence in sentences]
    tokens = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=tokenizer.pad_id)
    return tokens, torch.tensor([len(row) for row in rows])


def text_tower(model, **kwargs):
    tower = CLIPTextTransformer(TEXT_ARCH, **kwargs).eval()
    state = {name: value for name, value in model.state_dict().items() if not name.startswith(('visual', 'logit'))}
    tower.load_state_dict(state)
    return tower


@pytest.mark.parametrize('quick_gelu', [False, True])
@pytest.mark.parametrize('size', [(32, 32), (48, 16)])
def test_image_feature_is_that_of_open_clip(size, quick_gelu):
    model = tiny_clip(image_size=size, quick_gelu=quick_gelu)
    tower = CLIPViT(IMAGE_ARCH, input_size=size, quick_gelu=quick_gelu).eval()
    tower.load_state_dict(model.visual.state_dict())
    images = torch.rand(3, 3, *size)

    torch.testing.assert_close(tower(images), model.encode_image(images))


@pytest.mark.parametrize('quick_gelu', [False, True])
def test_text_feature_is_that_of_open_clip_on_the_whole_context(quick_gelu):
    model = tiny_clip(quick_gelu=quick_gelu)
    tokens, lengths = make_batch(SENTENCES)
    whole = nn.functional.pad(tokens, (0, 20 - tokens.shape[1]))

    torch.testing.assert_close(
        text_tower(model, quick_gelu=quick_gelu)(tokens, lengths), model.encode_text(whole), atol=1e-6, rtol=1e-5
    )


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(st.integers(1, 49405), max_size=18), min_size=1, max_size=5), st.integers(0, 5))
def test_a_sentence_does_not_depend_on_its_neighbours_or_padding(bodies, padding):
    tower = text_tower(tiny_clip())
    rows = [torch.tensor([49406, *body, 49407]) for body in bodies]
    lengths = torch.tensor([len(row) for row in rows])
    tokens = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    batch = tower(nn.functional.pad(tokens, (0, padding)), lengths)

    alone = torch.cat([tower(row[None], length[None]) for row, length in zip(rows, lengths, strict=True)])
    torch.testing.assert_close(batch, alone, atol=1e-5, rtol=1e-5)


def test_only_the_longest_sentence_is_computed():
    tower = text_tower(tiny_clip())
    seen = []
    tower.transformer.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].shape[1]))
    tokens, lengths = make_batch(['a man'])
    tower(nn.functional.pad(tokens, (0, 70)), lengths)

    assert seen == [4]


def test_no_sentences_at_all():
    tokens, lengths = torch.zeros(0, 0, dtype=torch.long), torch.zeros(0, dtype=torch.long)

    assert text_tower(tiny_clip())(tokens, lengths).shape == (0, 16)


def test_a_sentence_that_is_too_long_is_an_error():
    with pytest.raises(ValueError, match='20 tokens, but context_length is 10'):
        CLIPTextTransformer(TEXT_ARCH, context_length=10)(*make_batch(['man ' * 50]))


def test_overlapping_patches():
    tower = CLIPViT(IMAGE_ARCH, input_size=(48, 16), stride=4)
    images = torch.rand(2, 3, 48, 16)

    assert tower.grid == (11, 3)
    assert tower.positional_embedding.shape == (1 + 33, 32)
    assert tower(images).shape == (2, 16)
    # A patch in the middle sees the pixels that its place says.
    with torch.no_grad():
        patch = tower.conv1(images)[:, :, 5, 2]
        torch.testing.assert_close(patch, torch.einsum('nchw,kchw->nk', images[..., 20:28, 8:16], tower.conv1.weight))


def test_images_of_another_size_are_an_error():
    with pytest.raises(ValueError, match=r'images are \(32, 32\), but input_size is \(48, 16\)'):
        CLIPViT(IMAGE_ARCH, input_size=(48, 16))(torch.rand(1, 3, 32, 32))


@pytest.mark.parametrize(
    'make', [lambda **k: CLIPViT(IMAGE_ARCH, (48, 16), **k), lambda **k: CLIPTextTransformer(TEXT_ARCH, **k)]
)
def test_checkpointing_changes_no_gradient(make):
    gradients = []
    for with_cp in (False, True):
        torch.manual_seed(0)
        tower = make(with_cp=with_cp)
        inputs = (torch.ones(2, 3, 48, 16),) if isinstance(tower, CLIPViT) else make_batch(SENTENCES)
        tower(*inputs).square().sum().backward()
        gradients.append([parameter.grad for parameter in tower.parameters()])

    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize(
    ('frozen_stages', 'trained'),
    [
        (-1, {'stem', 'block 0', 'block 1', 'rest'}),
        (0, {'block 0', 'block 1', 'rest'}),
        (1, {'block 1', 'rest'}),
        (2, set()),
    ],
)
@pytest.mark.parametrize('cls', [CLIPViT, CLIPTextTransformer])
def test_frozen_stages(cls, frozen_stages, trained):
    arch = IMAGE_ARCH if cls is CLIPViT else TEXT_ARCH
    tower = cls(arch, frozen_stages=frozen_stages)
    groups = {
        'block 0'
        if '.0.' in name
        else 'block 1'
        if '.1.' in name
        else 'rest'
        if 'post' in name or 'proj' in name or 'final' in name
        else 'stem'
        for name, parameter in tower.named_parameters()
        if parameter.requires_grad
    }

    assert groups == trained
    with pytest.raises(ValueError, match='frozen_stages'):
        cls(arch, frozen_stages=3)


@pytest.mark.parametrize('cls', [CLIPViT, CLIPTextTransformer])
def test_layer_wise_learning_rates_of_mmpretrain(cls):
    tower = cls(IMAGE_ARCH if cls is CLIPViT else TEXT_ARCH)
    constructor = LearningRateDecayOptimWrapperConstructor(
        dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1.0, weight_decay=0.1)),
        paramwise_cfg=dict(layer_decay_rate=0.5),
    )
    rates = {group['param_name']: group['lr'] for group in constructor(tower).optimizer.param_groups}

    assert rates['positional_embedding'] == 0.5**3
    assert rates['transformer.resblocks.0.attn.in_proj_weight'] == 0.5**2
    assert rates['transformer.resblocks.1.mlp.c_fc.bias'] == 0.5
    assert rates['proj' if cls is CLIPViT else 'text_projection'] == 1
    assert tower.get_layer_depth('backbone.conv1.weight', 'backbone.') == (0 if cls is CLIPViT else 3, 4)
    assert tower.get_layer_depth('conv1.weight', 'backbone.') == (3, 4)


@pytest.mark.parametrize(('stored', 'built'), [(True, False), (False, True)])
def test_the_activation_travels_in_the_checkpoint(stored, built):
    source = CLIPViT(IMAGE_ARCH, (48, 16), quick_gelu=stored).eval()
    tower = CLIPViT(IMAGE_ARCH, (48, 16), quick_gelu=built).eval()
    tower.load_state_dict(source.state_dict())
    images = torch.rand(1, 3, 48, 16)

    assert bool(tower.quick_gelu) == stored
    torch.testing.assert_close(tower(images), source(images))


def test_sizes_of_released_models():
    image, text = read_arch('ViT-L-14', 'vision_cfg'), read_arch('RN50-quickgelu', 'text_cfg')

    assert (image['embed_dim'], image['layers'], image['width'], image['patch_size']) == (768, 24, 1024, 14)
    assert (text['embed_dim'], text['layers'], text['width'], text['context_length']) == (1024, 12, 512, 77)
    assert (image['quick_gelu'], text['quick_gelu']) == (False, True)


@pytest.mark.parametrize('arch', ['RN50', 'coca_ViT-B-32', 'ViT-B-17', dict(layers=2), dict(embed_dim=2, depth=3)])
def test_a_wrong_arch_is_an_error(arch):
    with pytest.raises(ValueError, match=r'CLIPResNet|open_clip has no model|arch needs embed_dim'):
        MODELS.build(dict(type='CLIPViT', arch=arch))


@pytest.mark.parametrize('kwargs', [dict(stride=0), dict(stride=9), dict(input_size=(48, 7))])
def test_a_wrong_grid_is_an_error(kwargs):
    with pytest.raises(ValueError, match=r'stride|input_size'):
        CLIPViT(IMAGE_ARCH, **kwargs)
