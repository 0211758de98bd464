"""Parity with the public codes of IRRA, RDE and TBPS-CLIP.

``MMTBPS_LADDER_VECTORS`` points these tests at another folder of the same layout.
"""

import math

import numpy as np
import pytest
import torch
from ladder_vectors import FOLDER
from torch.nn import functional as F

from mmtbps.models import CLIPTextTransformer, CLIPViT, SDMHead, Temperature, TokenFeatures, TokenSelection, losses
from mmtbps.models.structures import PairEmbeddings

# Sizes of the small models of IRRA and RDE.
VISION = dict(embed_dim=16, layers=2, width=32, head_width=16, patch_size=8)
TEXT = dict(embed_dim=16, layers=2, width=24, heads=2, vocab_size=100, context_length=16)
END = 99


def load_arrays(path):
    with np.load(FOLDER / path) as file:
        return {name: torch.as_tensor(file[name]) for name in file.files}


# ---------------------------------------------------------------------------------------------------------------------
# Losses


@pytest.mark.parametrize(('name', 'loss'), [('sdm', losses.sdm_loss), ('cmpm', losses.cmpm_loss)])
def test_losses_of_irra_and_their_gradients(name, loss):
    arrays = load_arrays('irra_rde/irra_losses.npz')
    image, text = (arrays[part].requires_grad_() for part in ('visual', 'text'))
    value = loss(image, text, arrays['labels'])
    value.backward()

    torch.testing.assert_close(value.detach(), arrays[name].double(), rtol=1e-12, atol=0)
    torch.testing.assert_close(image.grad, arrays[f'{name}_grad_visual'], rtol=1e-11, atol=1e-15)
    torch.testing.assert_close(text.grad, arrays[f'{name}_grad_text'], rtol=1e-11, atol=1e-15)


def test_the_loss_of_every_pair():
    arrays = load_arrays('irra_rde/rde_losses.npz')
    pairs = PairEmbeddings(image=arrays['visual'], text=arrays['text'], person_ids=arrays['labels'])

    torch.testing.assert_close(SDMHead().pair_losses(pairs), arrays['SDM_per'], rtol=1e-12, atol=0)


def test_a_scale_above_the_cap_has_the_gradient_of_the_scale_without_it():
    arrays = load_arrays('tbps_clip/losses.npz')
    image, text = (F.normalize(arrays[part], dim=1) for part in ('image', 'text'))
    same = (arrays['ids'][:, None] == arrays['ids'][None, :]).double()
    target = same / same.sum(dim=1, keepdim=True)
    temperature = Temperature(0.01, learnable=True).double()
    with torch.no_grad():
        temperature.logit_scale.fill_(float(arrays['d.logit_scale']))
    value = 0.0
    for logits in (image @ text.t() / temperature(), text @ image.t() / temperature()):
        log_p = F.log_softmax(logits, dim=1)
        value = value + (log_p.exp() * (log_p - (target + 0.01).log())).sum(dim=1).mean() / 2
    value.backward()

    torch.testing.assert_close(value.detach(), arrays['d.ritc_loss'].double(), rtol=1e-12, atol=0)
    expected = arrays['d.ritc_loss.grad.logit_scale'].double()
    torch.testing.assert_close(temperature.logit_scale.grad, expected, rtol=1e-12, atol=0)


# ---------------------------------------------------------------------------------------------------------------------
# Towers: all positions, and a row of the last block's attention

FORWARDS = [(file, stride) for file in ('irra_forward', 'rde_forward') for stride in (8, 6)]


def load_tower(tower, state):
    missing, unexpected = tower.load_state_dict(state, strict=False)
    assert not unexpected
    assert {name.split('.')[-1] for name in missing} <= {'attn_mask', 'quick_gelu', 'positional_grid'}
    return tower.double().eval()


def image_tower(state, stride):
    own = {name.removeprefix('base_model.visual.'): value for name, value in state.items() if '.visual.' in name}
    return load_tower(CLIPViT(VISION, (48, 16), stride=stride, quick_gelu=True), own)


def text_tower(state):
    own = {
        name.removeprefix('base_model.'): value
        for name, value in state.items()
        if name.startswith('base_model.') and '.visual.' not in name
    }
    return load_tower(CLIPTextTransformer(TEXT, quick_gelu=True), own)


@pytest.mark.parametrize(('file', 'stride'), FORWARDS)
def test_image_tokens_and_attention(file, stride):
    case = torch.load(FOLDER / 'irra_rde' / f'{file}.pth', weights_only=True)[f'stride_{stride}']
    images = case['inputs']['images_uint8'].double() / 127.5 - 1
    tower = image_tower(case['state'], stride)
    found = tower(images, with_tokens=True, with_attention=True)

    torch.testing.assert_close(found.tokens, case['image_tokens'], rtol=0, atol=1e-10)
    torch.testing.assert_close(found.pooled, case.get('image', case.get('bge_image')), rtol=0, atol=1e-10)
    torch.testing.assert_close(tower(images), found.pooled, rtol=0, atol=1e-12)
    assert found.mask.all()
    if 'image_attention' in case:
        torch.testing.assert_close(found.attention, case['image_attention'][:, 0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(('file', 'stride'), FORWARDS)
def test_text_tokens_and_attention(file, stride):
    case = torch.load(FOLDER / 'irra_rde' / f'{file}.pth', weights_only=True)[f'stride_{stride}']
    tokens = case['inputs']['caption_ids']
    ends = (tokens == END).int().argmax(dim=1)
    tower = text_tower(case['state'])
    found = tower(tokens, ends + 1, with_tokens=True, with_attention=True)
    length = found.tokens.shape[1]

    assert length == int(ends.max()) + 1
    torch.testing.assert_close(found.tokens, case['text_tokens'][:, :length], rtol=0, atol=1e-10)
    torch.testing.assert_close(found.pooled, case.get('text', case.get('bge_text')), rtol=0, atol=1e-10)
    torch.testing.assert_close(tower(tokens, ends + 1), found.pooled, rtol=0, atol=1e-12)
    assert torch.equal(found.mask, torch.arange(length) <= ends[:, None])
    if 'text_attention' in case:
        rows = case['text_attention'][torch.arange(len(ends)), ends][:, :length]
        torch.testing.assert_close(found.attention, rows, rtol=0, atol=1e-12)


# ---------------------------------------------------------------------------------------------------------------------
# RDE: global feature and selected tokens

SELECTED = slice(16, None)  # the second half of vectors whose global feature has 16 numbers


def load_rde(name):
    return torch.load(FOLDER / 'irra_rde' / f'rde_{name}.pth', weights_only=True)


def build_selection(state, side, **arguments):
    """A neck with the weights of the public code; its layers that are never used have no place here."""
    used = {'fc.': 'linear.'} if side == 'image' else {'linear.': 'linear.'}
    own = {f'linear.{name.split(".")[1]}': value for name, value in state.items() if name.startswith(tuple(used))}
    own.update({name: value for name, value in state.items() if name.startswith(('mlp.layers.', 'mlp.bns.0.'))})
    neck = TokenSelection(16, 32, context_length=16 if side == 'text' else None, **arguments)
    neck.load_state_dict(own)
    return neck.double()


def features_of(case, side):
    tokens = case['features'].clone().requires_grad_()
    if side == 'image':
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool)
        pooled = torch.zeros(len(tokens), dtype=torch.int64)
    else:
        pooled = case['tokens'].argmax(dim=1)
        mask = torch.arange(tokens.shape[1]) <= pooled[:, None]
    attention = case['attention'][torch.arange(len(tokens)), pooled].masked_fill(~mask, 0)
    feature = tokens[torch.arange(len(tokens)), pooled].detach()
    return tokens, TokenFeatures(pooled=feature, tokens=tokens, mask=mask, attention=attention)


def selected(neck, features):
    """The pooled feature before it is joined to the global one."""
    found = {}
    neck.join = lambda pooled, chosen: found.setdefault('selected', chosen)
    neck(features)
    return found['selected']


@pytest.mark.parametrize('side', ['image', 'text'])
def test_token_selection_and_its_gradients(side):
    case = load_rde('selection')[side]
    neck = build_selection(case['state'], side)
    tokens, features = features_of(case, side)
    neck.eval()
    torch.testing.assert_close(selected(neck, features), case['out_eval'], rtol=0, atol=1e-10)

    neck.train()
    out = selected(neck, features)
    torch.testing.assert_close(out, case['out_train'], rtol=0, atol=1e-10)
    (out * case['grad_weight']).sum().backward()
    torch.testing.assert_close(tokens.grad, case['grad_features'], rtol=0, atol=1e-10)
    expected = {name.replace('fc.', 'linear.'): value for name, value in case['grad_parameters'].items()}
    assert {name for name, _ in neck.named_parameters()} == set(expected)
    for name, parameter in neck.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=0, atol=1e-10)
    for name in ('running_mean', 'running_var', 'num_batches_tracked'):
        expected = case['state_after'][f'mlp.bns.0.{name}']
        torch.testing.assert_close(getattr(neck.mlp.bns[0], name), expected, rtol=0, atol=1e-10, check_dtype=False)


@pytest.mark.parametrize('stride', [8, 6])
def test_rde_as_one_vector(stride):
    """Features and the fused similarity, captions of one and of three words included."""
    case = load_rde('forward')[f'stride_{stride}']
    images = case['inputs']['images_uint8'].double() / 127.5 - 1
    tokens = case['inputs']['caption_ids']
    vectors = {}
    for side, prefix, tower, inputs in (
        ('image', 'visul_emb_layer.', image_tower(case['state'], stride), (images,)),
        ('text', 'texual_emb_layer.', text_tower(case['state']), (tokens, tokens.argmax(dim=1) + 1)),
    ):
        own = {name.removeprefix(prefix): value for name, value in case['state'].items() if name.startswith(prefix)}
        neck = build_selection(own, side).eval()
        vectors[side] = neck(tower(*inputs, with_tokens=True, with_attention=True))
        for part, place in (('bge', slice(16)), ('tse', SELECTED)):
            expected = F.normalize(case[f'{part}_{side}'], dim=1)
            torch.testing.assert_close(vectors[side][:, place] * math.sqrt(2), expected, rtol=0, atol=1e-10)
        torch.testing.assert_close(vectors[side].norm(dim=1), torch.ones(6).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(vectors['text'] @ vectors['image'].T, case['sims'], rtol=0, atol=1e-12)
