"""The losses of IRRA, RDE and TBPS-CLIP against slow, plain oracles, and on batches that have undone public codes."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from mmtbps.models import losses

few = settings(max_examples=15, deadline=None)


@st.composite
def batches(draw, classes=4):
    """Image and text features, and identities, in float64; of one identity, too."""
    size = draw(st.integers(1, 6))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    image, text = torch.randn(2, size, 5, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, draw(st.integers(1, classes)), (size,), generator=generator)
    return image, text, labels


def cosines(a, b):
    return [[float(F.cosine_similarity(x, y, dim=0)) for y in b] for x in a]


def softmax(row):
    top = max(row)
    weights = [math.exp(value - top) for value in row]
    return [weight / sum(weights) for weight in weights]


def triplet_row(row, same, tau, margin):
    """One direction of TAL for one query."""
    positives = [s for s, own in zip(row, same, strict=True) if own]
    negatives = [s for s, own in zip(row, same, strict=True) if not own]
    if not negatives:
        return 0.0
    weights = softmax([s / tau for s in positives])
    top = max(negatives)
    hardness = top + tau * math.log(sum(math.exp((s - top) / tau) for s in negatives))
    return max(0.0, margin - sum(w * s for w, s in zip(weights, positives, strict=True)) + hardness)


@few
@given(batches(), st.sampled_from([0.001, 0.015, 0.5]), st.sampled_from([0.0, 0.1, 1.0]))
def test_triplet_alignment(batch, tau, margin):
    image, text, labels = batch
    same = (labels[:, None] == labels[None, :]).tolist()
    rows = [
        triplet_row(cosines(image, text)[i], same[i], tau, margin)
        + triplet_row(cosines(text, image)[i], same[i], tau, margin)
        for i in range(len(labels))
    ]
    weights = torch.arange(len(labels)).double()
    found = losses.tal_loss(image, text, labels, tau, margin)
    weighted = losses.tal_loss(image, text, labels, tau, margin, weights)
    assert found.item() == pytest.approx(sum(rows), rel=1e-9, abs=1e-12)
    assert weighted.item() == pytest.approx(sum(i * row for i, row in enumerate(rows)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize('tau', [0.015, 0.01, 0.001])
def test_triplet_alignment_does_not_overflow_in_single_precision(tau):
    image, text = torch.randn(2, 8, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(8) // 2
    single = losses.tal_loss(image, text, labels, tau)
    assert single.item() == pytest.approx(losses.tal_loss(image.double(), text.double(), labels, tau).item(), rel=1e-4)


def soft_target_row(row, same, teacher, share):
    target = softmax(teacher)
    target = [share * t + (1 - share) * own / sum(same) for t, own in zip(target, same, strict=True)]
    p = softmax(row)
    return -sum(t * math.log(q) for t, q in zip(target, p, strict=True))


@few
@given(batches(), st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([0.05, 0.5]))
def test_contrast_with_soft_targets(batch, share, temperature):
    image, text, labels = batch
    generator = torch.Generator().manual_seed(1)
    teacher = torch.randn(2, *image.shape, generator=generator, dtype=torch.float64)
    same = (labels[:, None] == labels[None, :]).tolist()
    expected = 0.0
    for sides, teachers in (((image, text), teacher), ((text, image), teacher.flip(0))):
        for row, own, soft in zip(cosines(*sides), same, cosines(*teachers), strict=True):
            row, soft = [s / temperature for s in row], [s / temperature for s in soft]
            expected += soft_target_row(row, own, soft, share) / (2 * len(labels))
    found = losses.nitc_loss(image, text, labels, *teacher, temperature, share)
    assert found.item() == pytest.approx(expected, rel=1e-9)


@few
@given(batches(), st.sampled_from([0.05, 0.5]))
def test_reversed_contrast(batch, temperature):
    image, text, labels = batch
    same = (labels[:, None] == labels[None, :]).tolist()
    expected = 0.0
    for sides in ((image, text), (text, image)):
        for row, own in zip(cosines(*sides), same, strict=True):
            for p, mine in zip(softmax([s / temperature for s in row]), own, strict=True):
                expected += p * (math.log(p) - math.log(mine / sum(own) + 0.01)) / (2 * len(labels))
    assert losses.ritc_loss(image, text, labels, temperature).item() == pytest.approx(expected, rel=1e-9)


@few
@given(batches())
def test_likeness_of_geometries(batch):
    image, text, _ = batch
    size = len(image)
    within = [[(a - b) ** 2 for a, b in zip(x, y, strict=True)]
              for x, y in zip(cosines(image, image), cosines(text, text), strict=True)]  # fmt: skip
    across = [[(a - b) ** 2 for a, b in zip(x, y, strict=True)]
              for x, y in zip(cosines(image, text), cosines(text, image), strict=True)]  # fmt: skip
    expected = sum(map(sum, within + across)) / (4 * size**2)
    assert losses.citc_loss(image, text).item() == pytest.approx(expected, rel=1e-9, abs=1e-15)


@few
@given(batches())
def test_self_supervision(batch):
    first, second, _ = batch
    everything = torch.cat([first, second])
    similarities = cosines(everything, everything)
    size, expected = len(first), 0.0
    for anchor in range(2 * size):
        partner = (anchor + size) % (2 * size)
        logits = [s / 0.1 for place, s in enumerate(similarities[anchor]) if place != anchor]
        top = max(logits)
        total = top + math.log(sum(math.exp(logit - top) for logit in logits))
        expected += (total - similarities[anchor][partner] / 0.1) / (2 * size)
    assert losses.simclr_loss(first, second).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@few
@given(batches())
def test_linear_identity_loss(batch):
    image, text, labels = batch
    weight, bias = torch.randn(4, 5, dtype=torch.float64), torch.randn(4, dtype=torch.float64)
    expected = 0.0
    for features in (image, text):
        for feature, label in zip(features, labels.tolist(), strict=True):
            scores = [float(row @ feature + shift) for row, shift in zip(weight, bias, strict=True)]
            expected -= math.log(softmax(scores)[label]) / (2 * len(labels))
    assert losses.linear_identity_loss(image, text, labels, weight, bias).item() == pytest.approx(expected, rel=1e-9)


def test_masked_words_over_a_count_and_without_any():
    logits, labels = torch.randn(6, 9, dtype=torch.float64), torch.arange(6)
    mean = F.cross_entropy(logits, labels)
    torch.testing.assert_close(losses.masked_word_loss(logits, labels), mean)
    torch.testing.assert_close(losses.masked_word_loss(logits, labels, 12), mean / 2)
    half = torch.tensor(0.5)  # of two processes one has a word
    alone = losses.masked_word_loss(logits[:1], labels[:1], half)
    torch.testing.assert_close(alone, 2 * F.cross_entropy(logits[:1], labels[:1]))
    nothing = losses.masked_word_loss(logits[:0].requires_grad_(), labels[:0])
    nothing.backward()
    assert nothing == 0


PAIR_LOSSES = {
    'sdm': losses.sdm_loss,
    'tal': losses.tal_loss,
    'ritc': losses.ritc_loss,
    'nitc': lambda image, text, labels: losses.nitc_loss(image, text, labels, image.detach(), text.detach()),
    'citc': lambda image, text, _: losses.citc_loss(image, text),
    'simclr': lambda image, text, _: losses.simclr_loss(image, text),
    'pair contrast': lambda image, text, labels: losses.identity_aware_info_nce(
        image, text, torch.arange(len(labels)), torch.arange(len(labels))
    ),
    'alignment': losses.global_alignment_loss,
    'projection matching': losses.cmpm_loss,
    'linear identity': lambda image, text, labels: losses.linear_identity_loss(
        image, text, labels, torch.ones(6, 8, dtype=image.dtype), torch.zeros(6, dtype=image.dtype)
    ),
    'identity': lambda image, text, labels: losses.identity_loss(
        image, text, labels, torch.ones(8, 6, dtype=image.dtype)
    ),
    'projection classification': lambda image, text, labels: losses.cmpc_loss(
        image, text, labels, torch.ones(8, 6, dtype=image.dtype)
    ),
}


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize('name', PAIR_LOSSES)
@pytest.mark.parametrize('case', ['one pair', 'one identity', 'zeros', 'one zero', 'nothing'])
def test_odd_batches_have_a_finite_loss_and_gradient(name, case, dtype):
    size = {'one pair': 1, 'nothing': 0}.get(case, 6)
    values = torch.randn(2, size, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    labels = torch.zeros(size, dtype=torch.int64) if case == 'one identity' else torch.arange(size)
    if 'zero' in case:
        values[:, : size if case == 'zeros' else 1] = 0
    image, text = values.requires_grad_().unbind()
    loss = PAIR_LOSSES[name](image, text, labels)
    loss.backward()

    assert loss.isfinite()
    assert values.grad.isfinite().all()
    assert case != 'nothing' or loss == 0


def test_contrast_with_a_queue_of_no_pair_is_nothing():
    assert losses.info_nce(torch.zeros(0), torch.zeros(0, 5)) == 0


@pytest.mark.parametrize('name', PAIR_LOSSES)
def test_half_precision_is_promoted(name):
    image, text = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    labels = torch.arange(6) // 2
    loss = PAIR_LOSSES[name](image, text, labels)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, PAIR_LOSSES[name](image.float(), text.float(), labels))
