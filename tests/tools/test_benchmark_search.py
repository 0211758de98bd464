"""The benchmark of the search's indexes, at a size that takes no time."""

import importlib
import json
from pathlib import Path

import pytest
import torch

TOOLS = Path(__file__).parents[2] / 'tools' / 'analysis_tools'
EXACT, APPROXIMATE = ['exact', 'flat'], ['hnsw', 'hnsw-mapped', 'ivfpq', 'ivfpq-mapped', 'milvus']


@pytest.fixture
def measure(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(TOOLS))
    benchmark = importlib.import_module('benchmark')

    def run(command):
        benchmark.main(['search', *command.split(), '--repeats', '2', '--out', str(tmp_path / 'out.json')])
        return json.loads((tmp_path / 'out.json').read_text())['figures']

    return run


def test_every_index_is_measured_on_both_kinds_of_vectors(measure, tmp_path):
    figures = measure('--sizes 300 --dim 32 --time-limit 0.2')
    assert set(figures) == {'identity', 'gaussian'}
    for vectors in figures.values():
        found = vectors['300']
        assert set(found) == {'plain', *EXACT, *APPROXIMATE}
        assert [found[name]['recall@10'] for name in ('plain', *EXACT)] == [1, 1, 1]
        for name in (*EXACT, *APPROXIMATE):
            row = found[name]
            assert 1 <= row['queries'] <= 300
            assert 0 < row['median (ms)'] <= row['p99 (ms)']
            assert row['speed, ratio to plain'] == pytest.approx(found['plain']['median (ms)'] / row['median (ms)'])
    # What is easy for a graph with structure and hard without; codes of one bit a number are hard in any case.
    for name in ('hnsw', 'hnsw-mapped', 'milvus'):
        assert figures['identity']['300'][name]['recall@10'] > 0.95


def test_what_was_built_is_asked_again_and_small_enough_for_milvus(measure, tmp_path, monkeypatch):
    command = '--sizes 300 400 --dim 32 --vectors identity --indexes hnsw milvus --milvus-up-to 300 --time-limit 0.1'
    first = measure(f'{command} --folder {tmp_path}')['identity']
    assert set(first['300']) == {'plain', 'hnsw', 'milvus'}
    assert set(first['400']) == {'plain', 'hnsw'}
    monkeypatch.setattr('mmtbps.search.FaissHNSW.make', None)
    again = measure(f'{command} --folder {tmp_path}')['identity']
    for size, found in first.items():
        assert again[size]['hnsw']['build (s)'] == found['hnsw']['build (s)']
        assert again[size]['hnsw']['recall@10'] == 1


def test_the_recipe_is_what_it_says(measure):
    galleries = importlib.import_module('benchmarks.made_galleries')
    images, queries = (galleries.make_features('identity', 5000, 256, query) for query in (False, True))
    cosines = (queries @ images.T).sort(dim=1, descending=True).values
    own, others = cosines[:, :10], cosines[:, 10:]
    assert own.mean() == pytest.approx(0.71 * 0.89, abs=0.02)
    assert own.min() > others.max()
    assert torch.equal(galleries.plain_search(images, queries[0], 7), (images @ queries[0]).topk(7).indices)
    noise = galleries.make_features('gaussian', 500, 256, query=False)
    assert (noise @ noise.T - torch.eye(500)).abs().max() < 0.5
