"""The losses against slow, plain oracles."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from mmtbps.models.losses import (
    cmpc_loss,
    cmpm_loss,
    global_alignment_loss,
    identity_aware_info_nce,
    identity_loss,
    info_nce,
)

few = settings(max_examples=15, deadline=None)


@st.composite
def batches(draw, classes=5):
    """Image features, text features, labels and a projection, in float64."""
    size = draw(st.integers(1, 7))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    scale = draw(st.sampled_from([0.1, 1.0, 20.0]))
    image, text = scale * torch.randn(2, size, 6, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, classes, (size,), generator=generator)
    return image, text, labels, torch.randn(6, classes, generator=generator, dtype=torch.float64)


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def log_softmax(row):
    top = max(row)
    total = top + math.log(sum(math.exp(value - top) for value in row))
    return [value - total for value in row]


def softplus(value):
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))


@few
@given(batches(), st.sampled_from([0.0, 0.1]))
def test_identity_loss(batch, smoothing):
    image, text, labels, projection = batch
    columns = [(column / column.norm()).tolist() for column in projection.t()]
    expected = 0.0
    for features in (image.tolist(), text.tolist()):
        for feature, label in zip(features, labels.tolist(), strict=True):
            log_p = log_softmax([sum(x * y for x, y in zip(feature, column, strict=True)) for column in columns])
            terms = [(1 - smoothing) * (c == label) + smoothing / len(columns) for c in range(len(columns))]
            expected -= sum(t * p for t, p in zip(terms, log_p, strict=True)) / len(labels)
    assert identity_loss(image, text, labels, projection, smoothing).item() == pytest.approx(expected, rel=1e-12)


@few
@given(batches())
def test_global_alignment_loss(batch):
    image, text, labels, _ = batch
    expected = 0.0
    for v, i in zip(image.tolist(), labels.tolist(), strict=True):
        for t, j in zip(text.tolist(), labels.tolist(), strict=True):
            s = cosine(v, t)
            expected += softplus(-10 * (s - 0.6)) if i == j else softplus(40 * (s - 0.4))
    loss = global_alignment_loss(image, text, labels).item()
    assert loss == pytest.approx(2 / len(labels) * expected, rel=1e-12)


@few
@given(batches())
def test_cmpm_loss(batch):
    image, text, labels, _ = batch
    expected = 0.0
    for queries, candidates in ((image, text), (text, image)):
        for i in range(len(labels)):
            log_p = log_softmax([(queries[i] @ (c / c.norm())).item() for c in candidates])
            matches = [float(labels[i] == label) for label in labels]
            norm = math.sqrt(sum(matches))
            for p, match in zip(log_p, matches, strict=True):
                expected += math.exp(p) * (p - math.log(match / norm + 1e-8)) / len(labels)
    assert cmpm_loss(image, text, labels).item() == pytest.approx(expected, rel=1e-9)


@few
@given(batches())
def test_cmpc_loss(batch):
    image, text, labels, projection = batch
    weights = projection / projection.norm(dim=0)
    expected = 0.0
    for features, partners in ((image, text), (text, image)):
        for feature, partner, label in zip(features, partners, labels, strict=True):
            unit = partner / partner.norm()
            expected -= log_softmax((((feature @ unit) * unit) @ weights).tolist())[label] / len(labels)
    assert cmpc_loss(image, text, labels, projection).item() == pytest.approx(expected, rel=1e-9)


@few
@given(st.integers(1, 5), st.integers(0, 6), st.integers(0, 99))
def test_info_nce_without_the_excluded(anchors, keys, seed):
    generator = torch.Generator().manual_seed(seed)
    positive = torch.rand(anchors, generator=generator, dtype=torch.float64)
    negatives = torch.rand(anchors, keys, generator=generator, dtype=torch.float64)
    excluded = torch.rand(anchors, keys, generator=generator) < 0.5
    expected = 0.0
    for p, row, out in zip(positive, negatives, excluded, strict=True):
        kept = [p.item() / 0.2, *(row[~out] / 0.2).tolist()]
        expected -= log_softmax(kept)[0] / anchors
    for shape in ((-1,), (-1, 1)):
        loss = info_nce(positive.reshape(shape), negatives, 0.2, excluded).item()
        assert loss == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_info_nce_without_any_negative_is_zero():
    positive = torch.tensor([0.1, 0.2], requires_grad=True)
    loss = info_nce(positive, torch.rand(2, 4), excluded=torch.ones(2, 4, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert positive.grad.tolist() == [0, 0]


def test_info_nce_refuses_other_numbers_of_anchors():
    with pytest.raises(ValueError, match='2 anchors and negatives 3'):
        info_nce(torch.rand(2), torch.rand(3, 4))


@few
@given(batches())
def test_identity_aware_info_nce(batch):
    image, text, labels, _ = batch
    expected = 0.0
    for v, i in zip(image.tolist(), labels, strict=True):
        log_p = log_softmax([cosine(v, t) / 0.1 for t in text.tolist()])
        positives = [p for p, j in zip(log_p, labels, strict=True) if i == j]
        expected -= sum(positives) / len(positives) / len(labels)
    loss = identity_aware_info_nce(image, text, labels, labels, 0.1).item()
    assert loss == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_a_query_without_positive_adds_nothing_and_changes_no_other():
    generator = torch.Generator().manual_seed(0)
    queries, candidates = (
        torch.randn(count, 6, generator=generator, dtype=torch.float64, requires_grad=True) for count in (4, 5)
    )
    temperature = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    query_ids, candidate_ids = torch.tensor([1, 9, 2, 1]), torch.tensor([2, 1, 3, 1, 1])
    with_positive = torch.tensor([0, 2, 3])

    def gradients(rows, share):
        loss = identity_aware_info_nce(queries[rows], candidates, query_ids[rows], candidate_ids, temperature)
        return torch.autograd.grad(share * loss, (queries, candidates, temperature)), share * loss.item()

    found, loss = gradients(torch.arange(4), 1)
    expected, part = gradients(with_positive, 3 / 4)
    assert loss == pytest.approx(part, rel=1e-12)
    torch.testing.assert_close(found, expected)
    assert not found[0][1].any()


PAIRWISE = [
    pytest.param(lambda v, t, y, p: identity_loss(v, t, y, p), id='identity'),
    pytest.param(lambda v, t, y, p: cmpc_loss(v, t, y, p), id='cmpc'),
    pytest.param(lambda v, t, y, p: cmpm_loss(v, t, y), id='cmpm'),
    pytest.param(lambda v, t, y, p: global_alignment_loss(v, t, y), id='alignment'),
    pytest.param(lambda v, t, y, p: identity_aware_info_nce(v, t, y, y), id='itc'),
    pytest.param(lambda v, t, y, p: info_nce((v * t).sum(1), v @ F.normalize(p, dim=0)), id='info_nce'),
]


@pytest.mark.parametrize('loss', PAIRWISE)
@pytest.mark.parametrize('half', [torch.float16, torch.bfloat16])
def test_half_precision_is_promoted_even_under_autocast(loss, half):
    v, t, p = (torch.randn(6, 6, generator=torch.Generator().manual_seed(seed)).to(half) for seed in range(3))
    labels = torch.tensor([0, 0, 1, 2, 3, 3])
    if loss(v.float(), t.float(), labels, p.float()).dtype is not torch.float32:
        pytest.fail('float32 in, float32 out')
    with torch.autocast('cpu', torch.bfloat16):
        mixed = loss(v, t, labels, p)
    assert mixed.dtype is torch.float32
    # The products of the last loss are made outside of it, here and there.
    tolerance = 0.05 if loss is PAIRWISE[-1].values[0] else 1e-6
    assert mixed.item() == pytest.approx(loss(v.float(), t.float(), labels, p.float()).item(), rel=tolerance)


def test_alignment_does_not_overflow():
    features = torch.eye(3)
    steep = global_alignment_loss(features, -features, torch.arange(3), 1e4, 0.6, 1e4, -0.5)
    assert steep.item() == pytest.approx(2 / 3 * (3 * 1.6e4 + 6 * 5e3), rel=1e-5)


@pytest.mark.parametrize('label', [5, -1, -100])
def test_no_label_is_skipped(label):
    with pytest.raises(IndexError, match=f'{label} is out of bounds'):
        identity_loss(torch.rand(2, 4), torch.rand(2, 4), torch.tensor([0, label]), torch.rand(4, 5))
