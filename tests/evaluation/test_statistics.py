"""Histogram and bootstrap against loops."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmtbps.evaluation import functional
from mmtbps.evaluation.functional import bootstrap, neighbors


@pytest.mark.parametrize('block', [2**22, 1])
def test_histogram_equals_numpy(block, monkeypatch):
    monkeypatch.setattr(neighbors, 'BLOCK', block)
    rng = torch.Generator().manual_seed(0)
    query, gallery = (torch.randn(n, 6, generator=rng, dtype=torch.float64) for n in (70, 40))
    query_pids, gallery_pids = torch.arange(70) % 5, torch.arange(40) % 7
    matching, others = functional.similarity_histogram(query, query_pids, gallery, gallery_pids, bins=50)
    unit = torch.nn.functional.normalize
    cosine = (unit(query) @ unit(gallery).T).numpy()
    same = query_pids.numpy()[:, None] == gallery_pids.numpy()
    for found, mask in ((matching, same), (others, ~same)):
        assert found.tolist() == np.histogram(cosine[mask], bins=50, range=(-1, 1))[0].tolist()


def test_histogram_keeps_the_ends():
    feats = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    matching, others = functional.similarity_histogram(feats, [0, 1], feats, [0, 1], bins=4)
    assert (matching.tolist(), others.tolist()) == ([0, 0, 0, 2], [2, 0, 0, 0])


def bootstrap_oracle(difference, groups, samples, level, seed):
    """Person by person."""
    rng, persons = np.random.default_rng(seed), sorted(set(groups))
    means = []
    for _ in range(samples):
        times = rng.multinomial(len(persons), [1 / len(persons)] * len(persons))
        drawn = [d for person, n in zip(persons, times, strict=True) for _ in range(n)
                 for d, group in zip(difference, groups, strict=True) if group == person]  # fmt: skip
        means.append(np.mean(drawn))
    return np.quantile(means, [(1 - level) / 2, (1 + level) / 2])


@given(
    rows=st.lists(st.tuples(st.integers(-1, 1), st.integers(0, 4)), min_size=1, max_size=20),
    level=st.sampled_from([0.5, 0.95]),
)
@settings(max_examples=25, deadline=None)
def test_bootstrap_equals_a_loop(rows, level):
    difference, groups = zip(*rows, strict=True)
    found = functional.paired_bootstrap(difference, list(groups), samples=30, level=level, seed=3)
    np.testing.assert_allclose(found, bootstrap_oracle(difference, groups, 30, level, 3), atol=1e-12)


def test_bootstrap_does_not_depend_on_blocks(monkeypatch):
    difference, groups = np.arange(20.0), np.arange(20) % 6
    whole = functional.paired_bootstrap(difference, groups, samples=50)
    monkeypatch.setattr(bootstrap, '_BLOCK', 1)
    assert functional.paired_bootstrap(difference, groups, samples=50) == whole


def test_drawing_persons_widens_the_interval_of_dependent_queries():
    difference = np.random.default_rng(0).choice([-1.0, 1.0], size=100).repeat(10)
    low, high = functional.paired_bootstrap(difference, np.arange(100).repeat(10))
    alone_low, alone_high = functional.paired_bootstrap(difference, np.arange(1000))
    # Ten equal queries a person: an interval sqrt(10) times as wide.
    assert (high - low) / (alone_high - alone_low) == pytest.approx(10**0.5, rel=0.1)
    assert low < difference.mean() < high


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(difference=[], groups=[]), 'at least one'),
        (dict(groups=[1]), 'groups'),
        (dict(samples=0), 'samples'),
        (dict(level=1.0), 'level'),
    ],
)
def test_bad_bootstrap_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        functional.paired_bootstrap(**{**dict(difference=[0.0, 1.0], groups=[0, 1]), **change})
