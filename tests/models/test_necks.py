"""Words to sentences."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmtbps.models import BiGRUNeck, LinearProjection, MLPProjection


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 8), min_size=1, max_size=5), st.integers(0, 3))
def test_a_sentence_does_not_depend_on_its_batch(lengths, extra):
    torch.manual_seed(0)
    neck = BiGRUNeck(6, 5).double()
    words = torch.randn(len(lengths), max(lengths) + extra, 6, dtype=torch.float64)
    together = neck(words, torch.tensor(lengths))
    for row, caption, length in zip(together, words, lengths, strict=True):
        states, _ = neck.gru(caption[None, :length])
        torch.testing.assert_close(row, states[0].max(dim=0).values, rtol=0, atol=1e-14)


def test_legacy_padding_keeps_shorter_captions_from_being_negative():
    torch.manual_seed(0)
    words, lengths = torch.randn(3, 6, 6), torch.tensor([5, 2, 5])
    neck, legacy = BiGRUNeck(6, 5), BiGRUNeck(6, 5, legacy_padding=True)
    legacy.load_state_dict(neck.state_dict())
    expected = neck(words, lengths)
    expected[1] = expected[1].clamp(min=0)
    assert (neck(words, lengths)[1] < 0).any()
    torch.testing.assert_close(legacy(words, lengths), expected)


def test_there_are_no_biases_and_gradients_reach_all_weights():
    neck = BiGRUNeck(6, 5)
    neck(torch.randn(2, 4, 6), torch.tensor([4, 1])).sum().backward()
    assert all('bias' not in name and weight.grad.any() for name, weight in neck.named_parameters())


def test_an_empty_caption_is_refused():
    with pytest.raises(RuntimeError, match='greater than 0'):
        BiGRUNeck(6, 5)(torch.randn(2, 4, 6), torch.tensor([4, 0]))


@pytest.mark.parametrize('kind', [LinearProjection, MLPProjection])
def test_projections_start_as_in_the_public_code(kind):
    """A deviation of sqrt(2 / 256) at any width, and no bias."""
    torch.manual_seed(0)
    for width in (48, 2048):
        layers = [module for module in kind(width).modules() if isinstance(module, torch.nn.Linear)]
        assert len(layers) == (1 if kind is LinearProjection else 2)
        for layer in layers:
            assert layer.weight.std().item() == pytest.approx((2 / 256) ** 0.5, rel=0.05)
            assert not layer.bias.any()


def test_features_of_another_length_are_named():
    projection = LinearProjection(in_channels=256)
    assert projection(torch.zeros(2, 256)).shape == (2, 256)
    with pytest.raises(ValueError, match=r'in_channels is 256, .* 192 numbers .* Set in_channels=192\.'):
        projection(torch.zeros(2, 192))
