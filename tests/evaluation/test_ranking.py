"""Ranking against a plain oracle that sorts each query's gallery in Python."""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmtbps.evaluation import functional
from mmtbps.evaluation.functional import ranking

FEW = settings(max_examples=60, deadline=None)


def oracle(similarity, query_pids, gallery_pids, topk=(1, 5, 10)):
    """Sort each row with Python's stable sort and read the definitions off; None when no query has an answer."""
    hits, aps, inps = {k: [] for k in topk}, [], []
    for row, pid in zip(similarity, query_pids, strict=True):
        order = sorted(range(len(row)), key=lambda j: -row[j])
        ranks = [place for place, j in enumerate(order, 1) if gallery_pids[j] == pid]
        if not ranks:
            continue
        for k in topk:
            hits[k].append(ranks[0] <= k)
        aps.append(sum(i / r for i, r in enumerate(ranks, 1)) / len(ranks))
        inps.append(len(ranks) / ranks[-1])
    if not aps:
        return None
    figures = {f'R@{k}': 100 * sum(hits[k]) / len(aps) for k in topk}
    return {**figures, 'mAP': 100 * sum(aps) / len(aps), 'mINP': 100 * sum(inps) / len(aps)}


@st.composite
def ranking_cases(draw):
    """Few distinct similarities and ids: many ties, duplicates, queries without a match and galleries of one."""
    queries, gallery = draw(st.integers(1, 7)), draw(st.integers(1, 12))
    value = st.sampled_from([-math.inf, -1.0, -0.0, 0.0, 0.25, 0.5, 1.0])
    rows = draw(st.lists(st.lists(value, min_size=gallery, max_size=gallery), min_size=queries, max_size=queries))
    ids = st.integers(0, 3)
    query_pids = draw(st.lists(ids, min_size=queries, max_size=queries))
    gallery_pids = draw(st.lists(ids, min_size=gallery, max_size=gallery))
    return rows, query_pids, gallery_pids


@pytest.mark.parametrize('sort_above', [128, 0], ids=['count', 'sort'])
@given(case=ranking_cases(), dtype=st.sampled_from([torch.float16, torch.float32, torch.float64]))
@FEW
def test_rank_metrics_equals_oracle(sort_above, case, dtype):
    rows, query_pids, gallery_pids = case
    expected = oracle(rows, query_pids, gallery_pids, topk=(1, 2, 50))
    similarity = torch.tensor(rows, dtype=dtype)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(ranking, '_SORT_ABOVE', sort_above)
        warnings.simplefilter('ignore')
        if expected is None:
            with pytest.raises(ValueError, match=r'none of the .* queries has a match'):
                functional.rank_metrics(similarity, query_pids, gallery_pids, topk=(1, 2, 50))
        else:
            found = functional.rank_metrics(similarity, query_pids, gallery_pids, topk=(1, 2, 50))
            assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize('chunk_size', [None, 1, 7, 64, 1000])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_rank_features_equals_rank_metrics_of_cosines(chunk_size, dtype):
    rng = torch.Generator().manual_seed(3)
    query, gallery = (torch.randn(n, 16, generator=rng, dtype=dtype) * 5 for n in (83, 141))
    query_pids, gallery_pids = (torch.randint(0, 20, (n,), generator=rng) for n in (83, 141))
    cosine = torch.cosine_similarity(query[:, None].double(), gallery[None].double(), dim=2)
    expected = oracle(cosine.tolist(), query_pids.tolist(), gallery_pids.tolist())
    found = functional.rank_features(query, query_pids, gallery, gallery_pids, (1, 5, 10), chunk_size)
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize('chunk_size', [None, 1, 2, 7])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_duplicates_keep_gallery_order_whatever_the_chunk(chunk_size, dtype):
    """A bare matrix product tears such ties: at the edges of a block it rounds differently."""
    rng = torch.Generator().manual_seed(0)
    directions = torch.randn(5, 256, generator=rng, dtype=dtype)
    which = torch.randint(0, 5, (333,), generator=rng)
    query = torch.randn(20, 256, generator=rng, dtype=dtype)
    cosine = torch.cosine_similarity(query[:, None].double(), directions[None].double(), dim=2)[:, which]
    query_pids, gallery_pids = (torch.randint(0, 40, (n,), generator=rng) for n in (20, 333))
    expected = oracle(cosine.tolist(), query_pids.tolist(), gallery_pids.tolist())
    found = functional.rank_features(query, query_pids, directions[which], gallery_pids, (1, 5, 10), chunk_size)
    assert found == pytest.approx(expected, abs=1e-9)


@given(case=ranking_cases())
@FEW
def test_both_ways_to_count_agree(case):
    """The way of other devices is not taken on the CPU; it must count the same."""
    rows, _, gallery_pids = case
    block, answers = torch.tensor(rows), [i for i, pid in enumerate(gallery_pids) if pid == gallery_pids[0]]
    counts = ranking._count_ahead(block, answers)
    assert counts.tolist() == ranking._count_ahead_on_host(block.numpy(), answers).tolist()


def test_many_right_answers_take_the_sort_and_agree():
    rng = torch.Generator().manual_seed(0)
    similarity = (torch.rand(6, 700, generator=rng) * 20).round()
    query_pids, gallery_pids = [0, 1, 0, 1, 2, 0], torch.randint(0, 3, (700,), generator=rng)
    expected = oracle(similarity.tolist(), query_pids, gallery_pids.tolist())
    assert functional.rank_metrics(similarity, query_pids, gallery_pids) == pytest.approx(expected, abs=1e-9)


def test_scores_stay_in_query_order():
    similarity = torch.tensor([[0.1, 0.9, 0.5], [0.1, 0.9, 0.5], [0.1, 0.9, 0.5], [0.1, 0.9, 0.5]])
    scores = functional.score_similarity(similarity, [4, 2, 9, 3], [4, 3, 2])
    assert scores.first_rank.tolist() == [3, 2, 0, 1]
    assert scores.average_precision.tolist() == pytest.approx([1 / 3, 1 / 2, 0, 1])
    assert scores.has_match.tolist() == [True, True, False, True]


def test_queries_without_a_match_are_left_out_and_counted_once():
    similarity = torch.eye(4)
    with pytest.warns(UserWarning, match='2 of 4 queries have no match') as caught:
        found = functional.rank_metrics(similarity, [0, 1, 8, 9], [0, 1, 2, 3])
    assert len(caught) == 1
    assert found == {'R@1': 100.0, 'R@5': 100.0, 'R@10': 100.0, 'mAP': 100.0, 'mINP': 100.0}


def test_no_warning_when_all_queries_have_a_match():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        functional.rank_metrics(torch.eye(3), [0, 1, 2], [0, 1, 2])


def test_half_features_are_promoted():
    query, gallery = torch.randn(5, 8).half(), torch.randn(9, 8).half()
    pids = [0, 1, 2, 0, 1], [0, 1, 2, 0, 1, 2, 0, 1, 2]
    half = functional.rank_features(query, pids[0], gallery, pids[1])
    assert half == functional.rank_features(query.float(), pids[0], gallery.float(), pids[1])


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        (dict(similarity=torch.full((2, 3), math.nan)), ValueError, 'NaN'),
        (dict(similarity=torch.zeros(2, 3, dtype=torch.long)), TypeError, 'floating'),
        (dict(similarity=torch.zeros(6)), ValueError, 'matrix'),
        (dict(query_pids=[0]), ValueError, r'query_pids .* that is 2,'),
        (dict(gallery_pids=[0.5, 1.0, 1.0]), TypeError, r'gallery_pids .* integers'),
        (dict(query_pids=['a', 'b']), TypeError, r"query_pids .* integers, got \['a', 'b'\] .*numpy.unique"),
        (dict(gallery_pids=np.array(['a', 'b', 'b'])), TypeError, r'gallery_pids .* integers, got array'),
        (dict(gallery_pids=[[0], [1, 2]]), TypeError, r'gallery_pids .* integers'),
        (dict(topk=()), ValueError, 'topk'),
        (dict(topk=(0, 1)), ValueError, 'topk'),
    ],
)
def test_bad_matrix_input_is_named(change, error, message):
    good = dict(similarity=torch.zeros(2, 3), query_pids=[0, 1], gallery_pids=[0, 1, 1])
    with pytest.raises(error, match=message):
        functional.rank_metrics(**{**good, **change})


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(query_feats=np.full((2, 4), np.inf, dtype=np.float32)), 'query_feats has 2 rows'),
        (dict(gallery_feats=torch.ones(3, 5)), 'same width'),
        (dict(chunk_size=0), 'chunk_size'),
        (dict(gallery_feats=torch.ones(0, 4), gallery_pids=[]), 'none of the 2 queries'),
        (dict(query_feats=torch.ones(0, 4), query_pids=[]), 'none of the 0 queries'),
    ],
)
def test_bad_features_are_named(change, message):
    good = dict(query_feats=torch.ones(2, 4), query_pids=[0, 1], gallery_feats=torch.ones(3, 4), gallery_pids=[0, 1, 1])
    with pytest.raises(ValueError, match=message):
        functional.rank_features(**{**good, **change})
