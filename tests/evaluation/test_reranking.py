"""Re-ranking against plain oracles: Python sets, dense numpy."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmtbps.evaluation import KReciprocal, NeighborJaccard, functional
from mmtbps.evaluation.functional import neighbors, sparse

FEW = settings(max_examples=50, deadline=None)


def cosines(query, gallery):
    """In float64, with the rounding that would tear exact ties apart cut off."""
    query, gallery = (np.asarray(x, dtype=np.float64) for x in (query, gallery))
    norms = (np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (query, gallery))
    query, gallery = (x / n for x, n in zip((query, gallery), norms, strict=True))
    return np.round(query @ gallery.T, 9)


def order_of(similarity):
    return np.argsort(-similarity, axis=1, kind='stable')


def jaccard_oracle(query, gallery, k):
    query_sets = [set(row.tolist()) for row in order_of(cosines(query, gallery))[:, :k]]
    gallery_sets = [set(row.tolist()) for row in order_of(cosines(gallery, gallery))[:, :k]]
    return np.array([[len(a & b) / len(a | b) for b in gallery_sets] for a in query_sets])


def k_reciprocal_sets_oracle(order, k):
    lists = [set(row[: k + 1].tolist()) for row in order]
    return [{j for j in own if i in lists[j]} for i, own in enumerate(lists)]


def k_reciprocal_oracle(query, gallery, k1, k2, lambda_value):
    """The definition, step by step, dense."""
    items = np.concatenate([query, gallery])
    distance = 2 - 2 * cosines(items, items)
    order = order_of(-distance)
    largest = distance.max(axis=1, keepdims=True)
    distance = np.where(largest > 0, distance / np.where(largest > 0, largest, 1), 0)
    plain, half = k_reciprocal_sets_oracle(order, k1), k_reciprocal_sets_oracle(order, round(k1 / 2))
    weights = np.zeros_like(distance)
    for i, own in enumerate(plain):
        expanded = sorted(own.union(*(half[j] for j in own if len(half[j] & own) * 3 > 2 * len(half[j]))))
        if expanded:
            weights[i, expanded] = np.exp(-distance[i, expanded])
            weights[i] /= weights[i].sum()
    if k2 > 1:
        weights = np.stack([weights[row[:k2]].mean(axis=0) for row in order])
    count = len(query)
    shared = np.minimum(weights[:count, None], weights[None, count:]).sum(axis=2)
    return (1 - lambda_value) * (1 - shared / (2 - shared)) + lambda_value * distance[:count, count:]


@st.composite
def feature_cases(draw, largest_gallery=14):
    """Random features, or a few directions and zero, of which cosines are exact: ties and duplicates."""
    queries, gallery = draw(st.integers(1, 5)), draw(st.integers(1, largest_gallery))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    if draw(st.booleans()):
        grid = np.concatenate([rng.choice([-1.0, 1.0], size=(4, 4)), np.eye(4), np.zeros((1, 4))])
        feats = grid[rng.integers(0, len(grid), size=queries + gallery)]
    else:
        feats = rng.standard_normal((queries + gallery, 4))
    return torch.from_numpy(feats[:queries]), torch.from_numpy(feats[queries:])


@pytest.mark.parametrize('values', [2, 40, 10**6], ids=['heavy ties', 'ties', 'hardly any'])
@pytest.mark.parametrize(('width', 'k'), [(1, 1), (5, 9), (63, 1), (64, 1), (300, 3), (1000, 5), (1013, 12), (40, 39)])
def test_largest_equals_a_stable_sort(width, k, values):
    block = torch.randint(0, values, (23, width), generator=torch.Generator().manual_seed(width)).float()
    assert neighbors.largest(block, k).tolist() == order_of(block.numpy())[:, :k].tolist()


@given(case=feature_cases(), k=st.integers(1, 20))
@FEW
def test_neighbor_jaccard_equals_sets(case, k):
    query, gallery = case
    found = functional.neighbor_jaccard(query, gallery, k=k)
    assert found.shape == (len(query), len(gallery))
    np.testing.assert_allclose(found, jaccard_oracle(query, gallery, k), atol=1e-12)


@pytest.mark.parametrize('block', [2**24, 40, 1])
def test_neighbor_jaccard_does_not_depend_on_blocks(block, monkeypatch):
    rng = torch.Generator().manual_seed(1)
    query, gallery = torch.randn(11, 8, generator=rng), torch.randn(37, 8, generator=rng)
    monkeypatch.setattr(neighbors, 'BLOCK', block)
    monkeypatch.setattr(sparse, '_ENTRIES', block)
    np.testing.assert_allclose(
        functional.neighbor_jaccard(query, gallery), jaccard_oracle(query, gallery, 5), atol=1e-6
    )


def test_k_beyond_the_gallery_makes_all_sets_equal():
    feats = torch.randn(4, 3)
    assert (functional.neighbor_jaccard(feats, feats, k=9) == 1).all()


@given(
    case=feature_cases(),
    k1=st.integers(1, 16),
    k2=st.integers(1, 16),
    lambda_value=st.sampled_from([0.0, 0.3, 1.0]),
)
@FEW
def test_k_reciprocal_equals_dense_oracle(case, k1, k2, lambda_value):
    query, gallery = case
    found = functional.k_reciprocal_distance(query, gallery, k1, k2, lambda_value)
    np.testing.assert_allclose(found, k_reciprocal_oracle(query, gallery, k1, k2, lambda_value), atol=1e-7)


def people(count, images, dim, dtype=torch.float32):
    """Clustered features, as a trained model makes them: expansion and averaging have something to do."""
    rng = torch.Generator().manual_seed(5)
    centres = torch.randn(count, 1, dim, generator=rng, dtype=dtype)
    return (centres + 0.6 * torch.randn(count, images, dim, generator=rng, dtype=dtype)).flatten(0, 1)


@pytest.mark.parametrize('block', [2**24, 3000, 1])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_k_reciprocal_of_clusters_equals_dense_oracle(block, dtype, monkeypatch):
    feats = people(12, 8, 16, dtype)
    query, gallery = feats[::8], feats[torch.arange(len(feats)) % 8 > 0]
    monkeypatch.setattr(neighbors, 'BLOCK', block)
    monkeypatch.setattr(sparse, '_ENTRIES', block)
    found = functional.k_reciprocal_distance(query, gallery, k1=10, k2=4)
    assert found.dtype == dtype
    expected = k_reciprocal_oracle(query, gallery, 10, 4, 0.3)
    np.testing.assert_allclose(found, expected, atol=1e-5 if dtype == torch.float32 else 1e-9)
    assert expected.min() < 0.2  # the sets did overlap


def test_identical_items_have_no_nan():
    same = torch.ones(30, 4)
    assert functional.k_reciprocal_distance(same[:2], same).isfinite().all()
    assert functional.neighbor_jaccard(same[:2], same).eq(1).all()


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('dim', [7, 64, 512])
def test_items_that_differ_by_rounding_alone_have_no_distance(dim, dtype):
    rng = torch.Generator().manual_seed(0)
    same = torch.randn(dim, generator=rng, dtype=dtype) * torch.rand(30, 1, generator=rng, dtype=dtype)
    unit = torch.nn.functional.normalize(same)
    assert (unit @ unit.T != 1).any()  # their cosines are not all the same
    assert (functional.k_reciprocal_distance(same[:2], same, lambda_value=1) == 0).all()


@given(case=feature_cases(), k=st.integers(1, 20))
@FEW
def test_query_expansion_equals_loop(case, k):
    query, gallery = case
    unit = torch.nn.functional.normalize
    found = functional.average_query_expansion(query, gallery, k)
    for i, chosen in enumerate(order_of(cosines(query, gallery))[:, :k]):
        expected = unit(query[i], dim=0) + sum(unit(gallery[j], dim=0) for j in chosen)
        np.testing.assert_allclose(found[i], unit(expected, dim=0), atol=1e-9)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('size', [7, 1000])
def test_shortlist_equals_the_method_on_it(dtype, size):
    feats = people(6, 8, 16, dtype)
    query, gallery = feats[:5], feats[5:]
    numbers, similarity = functional.rerank_shortlist(query, gallery, functional.neighbor_jaccard_rows, size=size)
    for i in range(len(query)):
        shortlist = order_of(cosines(query[i : i + 1], gallery))[0, :size]
        jaccard = jaccard_oracle(query[i : i + 1], gallery[shortlist], 5)
        order = order_of(jaccard)[0]
        assert numbers[i].tolist() == shortlist[order].tolist()
        np.testing.assert_allclose(similarity[i], jaccard[0, order], atol=1e-6)


@given(case=feature_cases(), k=st.integers(1, 20), size=st.integers(1, 20))
@FEW
def test_shortlist_jaccard_is_part_of_the_full_matrix(case, k, size):
    query, gallery = case
    numbers, cosine, jaccard = functional.shortlist_jaccard(query, gallery, k, size)
    expected = cosines(query, gallery)
    assert numbers.tolist() == order_of(expected)[:, :size].tolist()
    np.testing.assert_allclose(cosine, np.take_along_axis(expected, numbers.numpy(), 1), atol=1e-8)
    full = jaccard_oracle(query, gallery, k)
    np.testing.assert_allclose(jaccard, np.take_along_axis(full, numbers.numpy(), 1), atol=1e-12)


def test_shortlist_of_the_whole_gallery_is_the_full_ranking():
    feats = people(6, 8, 16, torch.float64)
    query, gallery = feats[::8], feats[1:]
    reranker = NeighborJaccard(weight=0.5)
    numbers, similarity = reranker.shortlist(query, gallery, size=len(gallery))
    full = reranker.prepare(query, gallery)(torch.arange(len(query)))
    torch.testing.assert_close(similarity, full.gather(1, numbers))
    torch.testing.assert_close(similarity, full.sort(dim=1, descending=True).values)


def test_shortlist_takes_a_reranker():
    feats = people(6, 8, 16, torch.float64)
    reranker = KReciprocal(k1=8, k2=3)
    numbers, similarity = reranker.shortlist(feats[:1], feats[1:], size=500)
    expected = k_reciprocal_oracle(feats[:1], feats[1:], 8, 3, 0.3)[0]
    np.testing.assert_allclose(similarity[0], -np.sort(expected), atol=1e-9)
    np.testing.assert_allclose(expected[numbers[0]], np.sort(expected), atol=1e-9)


RERANK = [functional.neighbor_jaccard, functional.k_reciprocal_distance, functional.average_query_expansion]


@pytest.mark.parametrize('function', RERANK, ids=lambda f: f.__name__)
def test_half_is_promoted_and_scale_does_not_matter(function):
    query, gallery = torch.randn(3, 8).half(), torch.randn(40, 8).half()
    found = function(query, gallery)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, function(query.float(), gallery.float()))
    torch.testing.assert_close(function(4 * query.float(), 2 * gallery.float()), found)


@pytest.mark.parametrize('function', RERANK, ids=lambda f: f.__name__)
def test_no_query_is_no_error(function):
    assert len(function(torch.ones(0, 4), torch.eye(4))) == 0


@pytest.mark.parametrize('function', RERANK, ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    ('query', 'gallery', 'message'),
    [
        (torch.ones(2, 3), torch.ones(2, 4), 'same width'),
        (torch.full((2, 3), torch.nan), torch.ones(2, 3), 'query_feats has 2 rows'),
        (torch.ones(2, 3), torch.ones(0, 3), 'gallery_feats must be at least 1'),
    ],
)
def test_bad_features_are_named(function, query, gallery, message):
    with pytest.raises(ValueError, match=message):
        function(query, gallery)


@pytest.mark.parametrize(
    ('function', 'setting'),
    [
        (functional.neighbor_jaccard, dict(k=0)),
        (functional.average_query_expansion, dict(k=0)),
        (partial(functional.rerank_shortlist, prepare=functional.neighbor_jaccard_rows), dict(size=0)),
        (functional.shortlist_jaccard, dict(k=0)),
        (functional.shortlist_jaccard, dict(size=0)),
        (functional.k_reciprocal_distance, dict(k1=0)),
        (functional.k_reciprocal_distance, dict(k2=0)),
        (functional.k_reciprocal_distance, dict(lambda_value=1.5)),
    ],
)
def test_bad_settings_are_named(function, setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        function(torch.eye(3), torch.eye(3), **setting)
