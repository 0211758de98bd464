"""RDE's selection of tokens against the public code's numbers, and against a loop."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ladder_vectors import FOLDER
from torch.nn import functional as F

from mmtbps.models import CLIPTextTransformer, CLIPViT, TextStream, TokenFeatures, TokenSelection

CLASS = slice(16, None)  # the second half of vectors whose global feature has 16 numbers


def load(name):
    return torch.load(FOLDER / 'irra_rde' / f'rde_{name}.pth', weights_only=True)


def build(state, side, **arguments):
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
def test_the_layer_and_its_gradients(side):
    case = load('selection')[side]
    neck = build(case['state'], side)
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
def test_a_whole_model(stride):
    """Features and the fused similarity, captions of one and of three words included."""
    case = load('forward')[f'stride_{stride}']
    arch = dict(embed_dim=16, layers=2, width=32, head_width=16, patch_size=8)
    image_tower = CLIPViT(arch, (48, 16), stride=stride, quick_gelu=True)
    arch = dict(embed_dim=16, layers=2, width=24, heads=2, vocab_size=100, context_length=16)
    text_tower = CLIPTextTransformer(arch, quick_gelu=True)
    parts = {'base_model.visual.': {}, 'base_model.': {}, 'visul_emb_layer.': {}, 'texual_emb_layer.': {}}
    for name, value in case['state'].items():
        beginning = next(part for part in parts if name.startswith(part))
        parts[beginning][name.removeprefix(beginning)] = value
    vectors = {}
    for tower, own, side in (
        (image_tower, parts['base_model.visual.'], 'image'), (text_tower, parts['base_model.'], 'text'),
    ):  # fmt: skip
        tower.load_state_dict(own, strict=False)
        neck = build(parts['visul_emb_layer.' if side == 'image' else 'texual_emb_layer.'], side).eval()
        tower.double().eval()
        if side == 'image':
            inputs = (case['inputs']['images_uint8'].double() / 127.5 - 1,)
        else:
            tokens = case['inputs']['caption_ids']
            inputs = (tokens, tokens.argmax(dim=1) + 1)
        vectors[side] = neck(tower(*inputs, with_tokens=True, with_attention=True))
        for part, place in (('bge', slice(16)), ('tse', CLASS)):
            expected = F.normalize(case[f'{part}_{side}'], dim=1)
            torch.testing.assert_close(vectors[side][:, place] * math.sqrt(2), expected, rtol=0, atol=1e-10)
        torch.testing.assert_close(vectors[side].norm(dim=1), torch.ones(6).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(vectors['text'] @ vectors['image'].T, case['sims'], rtol=0, atol=1e-12)


def plain(neck, features):
    """One item at a time, by the words of the paper."""
    result = []
    for item in range(len(features.mask)):
        places = features.mask[item].nonzero()[:, 0].tolist()[1:]
        if neck.context_length is not None:
            places = places[:-1]
        places = sorted(places, key=lambda place: -float(features.attention[item, place]))
        tokens = F.normalize(features.tokens[item, places[: neck.count(features.mask.shape[1])]], dim=1)
        embedded = neck.mlp(tokens) + neck.linear(tokens)
        half = embedded.max(dim=0).values if places else torch.zeros(embedded.shape[1], dtype=torch.float64)
        result.append(torch.cat([F.normalize(features.pooled[item], dim=0), F.normalize(half, dim=0)]))
    return torch.stack(result) / math.sqrt(2)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(2, 12), min_size=1, max_size=5), st.integers(3, 20), st.floats(0, 1), st.integers(0, 99))
def test_captions_of_any_length(lengths, context, ratio, seed):
    torch.manual_seed(seed)
    neck = TokenSelection(6, 8, ratio=ratio, context_length=context).double().eval()
    neck.mlp.bns[0].running_mean.normal_()
    longest = max(lengths)
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    features = TokenFeatures(
        pooled=torch.randn(len(lengths), 6).double(), tokens=torch.randn(len(lengths), longest, 6).double(), mask=mask,
        attention=torch.rand(len(lengths), longest).double().masked_fill(~mask, 0),
    )  # fmt: skip
    torch.testing.assert_close(neck(features), plain(neck, features), rtol=0, atol=1e-7)


def test_padding_enters_no_statistics():
    torch.manual_seed(0)
    short, long = (TokenSelection(6, 8, context_length=20) for _ in range(2))
    long.load_state_dict(short.state_dict())
    tokens, attention = torch.randn(3, 5, 6), torch.rand(3, 5)
    for neck, padding in ((short, 0), (long, 4)):
        neck(
            TokenFeatures(
                pooled=torch.ones(3, 6),
                tokens=torch.cat([tokens, torch.full((3, padding, 6), 9.0)], dim=1),
                mask=torch.arange(5 + padding) < torch.tensor([[5], [4], [3]]),
                attention=torch.cat([attention, torch.zeros(3, padding)], dim=1),
            )
        )
    assert torch.equal(short.mlp.bns[0].running_mean, long.mlp.bns[0].running_mean)


def test_a_batch_of_empty_captions_trains_without_nan():
    arch = dict(embed_dim=16, layers=1, width=24, heads=2, vocab_size=100, context_length=16)
    neck = dict(type='TokenSelection', in_channels=16, out_channels=8, context_length=16)
    stream = TextStream(dict(type='CLIPTextTransformer', arch=arch), neck)
    tokens = torch.tensor([[98, 99, 0, 0], [98, 5, 6, 99], [98, 99, 0, 0]])
    vectors = stream(tokens, torch.tensor([2, 4, 2]))
    vectors.sum().backward()
    assert all(value.grad.isfinite().all() for value in stream.parameters() if value.grad is not None)
    torch.testing.assert_close(vectors.norm(dim=1), torch.tensor([0.5, 1.0, 0.5]).sqrt())
