"""Inputs of the metrics: shapes, types, numbers that are none, and identities of odd kinds."""

import functools
import io
import json

import numpy as np
import pytest
import torch
from fuzzing import JSON, NUMBERS, REFUSED, altered_bytes, attempt, fuzz, one_odd
from hypothesis import strategies as st
from tiny_features import make_features

from mmtbps.evaluation import load_features, save_features
from mmtbps.evaluation.functional import (
    average_query_expansion,
    k_reciprocal_distance,
    neighbor_jaccard,
    paired_bootstrap,
    rank_features,
    rank_metrics,
    rerank_shortlist,
    shortlist_jaccard,
    similarity_histogram,
)
from mmtbps.evaluation.metrics import TBPSMetric
from mmtbps.registry import RERANKERS

DTYPES = (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.complex64)
SPECIAL = st.sampled_from([0.0, -0.0, float('nan'), float('inf'), -float('inf'), 1e30, 1e-30])


def normal(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@st.composite
def matrices(draw):
    """Small matrices of any shape and kind, some with a number that is none or very large, some as lists."""
    made = normal(draw(st.integers(0, 9)), *draw(st.lists(st.integers(0, 4), max_size=3)))
    if made.numel():
        made.view(-1)[draw(st.integers(0, made.numel() - 1))] = draw(SPECIAL)
    made = made.to(draw(st.sampled_from([torch.float32, *DTYPES])))
    return made.tolist() if draw(st.booleans()) else made


@st.composite
def galleries(draw):
    """Queries and gallery with their identities; some features are equal, in half precision, lists or arrays."""
    count, size, width, seed = (draw(st.integers(1, most)) for most in (5, 7, 4, 99))
    gallery = normal(seed, size, width)
    copies = (
        draw(st.lists(st.integers(0, size - 1), min_size=size, max_size=size)) if draw(st.booleans()) else range(size)
    )
    feats = [normal(seed + 1, count, width), gallery[list(copies)]]
    kind = draw(
        st.sampled_from([torch.Tensor.float, torch.Tensor.double, torch.Tensor.half, torch.Tensor.tolist, np.array])
    )
    ids = [draw(st.lists(st.integers(-1, 2), min_size=number, max_size=number)) for number in (count, size)]
    ids = [draw(st.sampled_from([list, np.array, torch.tensor, tuple]))(one) for one in ids]
    return dict(query_feats=kind(feats[0]), query_pids=ids[0], gallery_feats=kind(feats[1]), gallery_pids=ids[1])


ODD_IDS = st.one_of(st.lists(JSON, max_size=4), JSON, st.lists(st.floats(), max_size=4), matrices())
ODD = dict(query_feats=matrices(), gallery_feats=matrices(), query_pids=ODD_IDS, gallery_pids=ODD_IDS)
NAMES = (*ODD, 'similarity', 'topk', 'queries')
COUNTS = st.one_of(st.integers(-2, 0), st.floats(), st.sampled_from([None, True, '7', 2**70]))
RANKS = st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True)


def plain_metrics(similarity, query_pids, gallery_pids, topk):
    """CMC, mAP and mINP by sorting each row."""
    rows = []
    for scores, person in zip(similarity.tolist(), query_pids, strict=True):
        order = sorted(range(len(scores)), key=lambda item: -scores[item])
        ranks = [place for place, item in enumerate(order, 1) if gallery_pids[item] == person]
        if ranks:
            hits = [float(ranks[0] <= k) for k in topk]
            rows.append([*hits, np.mean([n / r for n, r in enumerate(ranks, 1)]), len(ranks) / ranks[-1]])
    return 100 * np.mean(rows, axis=0)


def as_lists(*ids):
    return [torch.as_tensor(one).tolist() for one in ids]


def unit(feats):
    return torch.nn.functional.normalize(torch.as_tensor(feats).double())


@fuzz(
    200,
    case=one_odd(
        st.builds(dict, galleries(), topk=RANKS, chunk_size=st.sampled_from([None, 1, 2])),
        **ODD,
        topk=JSON,
        chunk_size=COUNTS,
    ),
)
def test_ranking_of_features(case):
    found = attempt(lambda: rank_features(**case), *NAMES, 'chunk_size')
    if found is REFUSED:
        return
    assert all(0 <= value <= 100 for value in found.values())
    similarity = unit(case['query_feats']) @ unit(case['gallery_feats']).T
    close = (similarity[:, :, None] - similarity[:, None, :]).abs().sort().values
    if not ((close > 0) & (close < 1e-2)).any():  # else rounding decides, in half precision above all
        expected = plain_metrics(similarity, *as_lists(case['query_pids'], case['gallery_pids']), case['topk'])
        assert list(found.values()) == pytest.approx(expected.tolist())


@st.composite
def similarities(draw):
    case = draw(galleries())
    shape = len(case['query_pids']), len(case['gallery_pids'])
    matrix = (4 * normal(draw(st.integers(0, 99)), *shape)).round() / 4  # with ties
    return dict(similarity=matrix, query_pids=case['query_pids'], gallery_pids=case['gallery_pids'], topk=draw(RANKS))


@fuzz(200, case=one_odd(similarities(), similarity=matrices(), query_pids=ODD_IDS, gallery_pids=ODD_IDS, topk=JSON))
def test_ranking_of_similarities(case):
    found = attempt(lambda: rank_metrics(**case), *NAMES)
    if found is not REFUSED:
        similarity = torch.as_tensor(case['similarity'])
        expected = plain_metrics(similarity, *as_lists(case['query_pids'], case['gallery_pids']), case['topk'])
        assert list(found.values()) == pytest.approx(expected.tolist())


RERANKING = {
    'neighbor_jaccard': lambda query, gallery, k, size: neighbor_jaccard(query, gallery, k),
    'average_query_expansion': lambda query, gallery, k, size: average_query_expansion(query, gallery, k),
    'shortlist_jaccard': lambda query, gallery, k, size: shortlist_jaccard(query, gallery, k, size)[2],
    'k_reciprocal_distance': lambda query, gallery, k, size: k_reciprocal_distance(query, gallery, k, size),
    'rerank_shortlist': lambda query, gallery, k, size: rerank_shortlist(query, gallery, expand, size)[1],
}


def expand(query, gallery):
    return RERANKERS.build(dict(type='QueryExpansion')).prepare(query, gallery)


@fuzz(
    200,
    name=st.sampled_from(sorted(RERANKING)),
    case=one_odd(
        st.builds(dict, galleries(), k=st.integers(1, 4), size=st.integers(1, 4)),
        query_feats=matrices(), gallery_feats=matrices(), k=COUNTS, size=COUNTS,
    ),
)  # fmt: skip
def test_reranking(name, case):
    call = functools.partial(RERANKING[name], *(case[key] for key in ('query_feats', 'gallery_feats', 'k', 'size')))
    found = attempt(call, *NAMES, 'k', 'size', 'k1', 'k2')
    assert found is REFUSED or (found.isfinite().all() and len(found) == len(case['query_feats']))


@fuzz(200, case=one_odd(st.builds(dict, galleries(), bins=st.integers(1, 9)), **ODD, bins=st.one_of(st.floats(), JSON)))
def test_histograms(case):
    bins = case['bins']
    if type(bins) is int:
        case['bins'] = min(bins, 1000)  # more of them need memory, but are right
    found = attempt(lambda: similarity_histogram(**case), *NAMES, 'bins')
    if found is not REFUSED:
        assert sum(int(counts.sum()) for counts in found) == len(case['query_feats']) * len(case['gallery_feats'])


@st.composite
def differences(draw):
    values = draw(st.lists(st.floats(-1, 1), min_size=1, max_size=5))
    groups = draw(st.lists(st.integers(0, 2), min_size=len(values), max_size=len(values)))
    return dict(
        difference=values, groups=groups, samples=draw(st.integers(1, 50)), level=0.9, seed=draw(st.integers(0, 9))
    )


@fuzz(
    150,
    case=one_odd(
        differences(), difference=st.one_of(st.lists(NUMBERS, max_size=4), JSON), groups=ODD_IDS,
        samples=st.sampled_from([0, -1, 1.5, float('nan'), None, '3']), level=st.one_of(NUMBERS, JSON), seed=JSON,
    ),
)  # fmt: skip
def test_intervals(case):
    found = attempt(lambda: paired_bootstrap(**case), *case)
    if found is not REFUSED:
        values = [float(value) for value in case['difference']]
        room = 1e-9 * (1 + max(map(abs, values)))
        assert min(values) - room <= found[0] <= found[1] <= max(values) + room


@st.composite
def predictions(draw):
    samples = [
        dict(image_feat=normal(number, 3), text_feats=normal(number, draw(st.integers(0, 2)), 3), person_id=number % 2)
        for number in range(draw(st.integers(1, 4)))
    ]
    return dict(enumerate(samples))


ODD_SAMPLE = st.one_of(
    one_odd(
        predictions().map(lambda samples: samples[0]), image_feat=matrices(), text_feats=matrices(), person_id=ODD_IDS
    ),
    st.fixed_dictionaries({}, optional=dict(image_feat=matrices(), text_feats=matrices(), person_id=JSON)),
)


@fuzz(200, samples=st.one_of(predictions(), st.builds(lambda whole, odd: {**whole, 0: odd}, predictions(), ODD_SAMPLE)))
def test_predictions(samples):
    metric = TBPSMetric()

    def evaluate():
        metric.process(None, list(samples.values()))
        return metric.compute_metrics(metric.results)

    found = attempt(evaluate, 'TBPSMetric', *NAMES)
    assert found is REFUSED or all(0 <= value <= 100 for value in found.values())


@pytest.fixture(scope='module')
def dump(tmp_path_factory):
    folder = tmp_path_factory.mktemp('features')
    save_features(folder / 'features.npz', make_features(folder))
    return folder / 'features.npz', (folder / 'features.npz').read_bytes()


PARTS = ('image_feats', 'image_pids', 'image_paths', 'text_feats', 'captions', 'text_images', 'meta')
OTHERS = st.one_of(
    matrices().map(lambda made: torch.as_tensor(made).float().numpy()),
    JSON.map(lambda value: np.array(json.dumps(value))),
    st.sampled_from([np.zeros(12, int), np.full(12, 99), np.array(['a'] * 12), np.zeros((12, 8)), np.zeros(0, 'f4')]),
)


@fuzz(150, data=st.data())
def test_altered_files_of_features(dump, data):
    file, content = dump
    if data.draw(st.booleans()):
        file.write_bytes(data.draw(altered_bytes(content)))
    else:
        arrays = dict(np.load(io.BytesIO(content)))
        np.savez(file, **arrays | data.draw(st.dictionaries(st.sampled_from(PARTS), OTHERS, min_size=1, max_size=2)))
    found = attempt(lambda: load_features(file), file.name)
    if found is not REFUSED:
        assert len(found.text_feats) == len(found.captions)
        assert found.data_digest == found.meta['data_digest']
