"""Freezing by name, and dropout of attention."""

import pytest
import torch
from tiny_clip import IMAGE_ARCH, TEXT_ARCH
from torch.nn.modules.batchnorm import _BatchNorm

from mmtbps.models import CLIPResNet, CLIPTextTransformer, CLIPViT

TOWERS = {
    'vit': lambda **options: CLIPViT(IMAGE_ARCH, (48, 16), **options),
    'text': lambda **options: CLIPTextTransformer(TEXT_ARCH, **options),
    'resnet': lambda **options: CLIPResNet((1, 1, 1, 1), 4, output_dim=16, input_size=(64, 32), **options),
}


@pytest.mark.parametrize(
    ('kind', 'frozen'),
    [('vit', 'conv1'), ('vit', 'transformer.resblocks.1'), ('text', 'token_embedding'), ('resnet', 'layer1.0.conv1')],
)
def test_whole_parts_of_names_are_frozen(kind, frozen):
    names = dict(TOWERS[kind](frozen=[frozen]).named_parameters())
    for name, parameter in names.items():
        assert parameter.requires_grad != (name == frozen or name.startswith(f'{frozen}.')), name
    assert not all(parameter.requires_grad for parameter in names.values())


@pytest.mark.parametrize('kind', list(TOWERS))
def test_a_prefix_that_fits_nothing(kind):
    with pytest.raises(ValueError, match=r"frozen='conv' fits no parameter; their names begin with \["):
        TOWERS[kind](frozen=['conv'])
    with pytest.raises(TypeError, match="frozen must be a list, got 'conv1'"):
        TOWERS[kind](frozen='conv1')


def test_names_add_to_stages():
    tower = TOWERS['vit'](frozen_stages=0, frozen=['ln_post'])
    frozen = {name.split('.')[0] for name, parameter in tower.named_parameters() if not parameter.requires_grad}
    assert frozen == {'class_embedding', 'positional_embedding', 'conv1', 'ln_pre', 'ln_post'}


def test_norms_below_a_frozen_name_keep_their_statistics():
    tower = TOWERS['resnet'](frozen=['layer2']).train()
    before = {name: buffer.clone() for name, buffer in tower.named_buffers()}
    tower(torch.rand(2, 3, 64, 32))
    for name, module in tower.named_modules():
        if isinstance(module, _BatchNorm):
            still = torch.equal(module.running_mean, before[f'{name}.running_mean'])
            assert still == name.startswith('layer2'), name


def test_attention_drops_out_in_training_alone():
    torch.manual_seed(0)
    tokens, lengths = torch.randint(1, 9, (4, 6)), torch.tensor([6, 5, 3, 2])
    plain = TOWERS['text']()
    tower = TOWERS['text'](attn_drop=0.5)
    tower.load_state_dict(plain.state_dict())
    tower.eval()
    torch.testing.assert_close(tower(tokens, lengths), plain.eval()(tokens, lengths))
    tower.train()
    assert not torch.equal(tower(tokens, lengths), tower(tokens, lengths))
    with pytest.raises(ValueError, match=r'attn_drop must lie in \[0, 1\), got 1'):
        TOWERS['text'](attn_drop=1)
