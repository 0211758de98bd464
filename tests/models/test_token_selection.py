"""RDE's selection of tokens against a loop; tests/test_ladder_vectors.py compares it with the public code."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from mmtbps.models import TextStream, TokenFeatures, TokenSelection


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


def test_half_precision_knows_empty_captions_too():
    torch.manual_seed(0)
    neck = TokenSelection(6, 8, context_length=77)
    mask = torch.tensor([[True, True, True, True], [True, True, False, False]])  # the second one has no words
    tokens = torch.randn(2, 4, 6).masked_fill(~mask[..., None], 0.0)
    features = {}
    for dtype in (torch.float32, torch.float16):
        leaf = tokens.clone().to(dtype).requires_grad_()
        given_tokens = TokenFeatures(pooled=leaf[:, 0], tokens=leaf, mask=mask, attention=torch.ones(2, 4) / 4)
        with torch.autocast('cpu', dtype=torch.float16, enabled=dtype is torch.float16):
            features[dtype] = neck(given_tokens)
        features[dtype].sum().backward()
        assert leaf.grad.isfinite().all()
    torch.testing.assert_close(features[torch.float16], features[torch.float32], rtol=0, atol=0.02)
    assert (features[torch.float16][1, 6:] == 0).all()


def test_one_word_alone_takes_the_running_statistics():
    torch.manual_seed(0)
    neck = TokenSelection(6, 8, context_length=77)
    norm = neck.mlp.bns[0]
    norm.running_mean.normal_()
    mean = norm.running_mean.clone()
    features = TokenFeatures(
        pooled=torch.randn(1, 6), tokens=torch.randn(1, 3, 6), mask=torch.ones(1, 3).bool(), attention=torch.ones(1, 3)
    )
    found = neck.train()(features)
    found.square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in neck.parameters())
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(found, neck.eval()(features))
