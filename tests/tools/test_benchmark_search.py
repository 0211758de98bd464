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
    figures = measure('--sizes 300 --dim 64 --time-limit 0.2')
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
    command = '--sizes 300 400 --dim 64 --vectors identity --indexes hnsw milvus --milvus-up-to 300 --time-limit 0.1'
    first = measure(f'{command} --folder {tmp_path}')['identity']
    assert set(first['300']) == {'plain', 'hnsw', 'milvus'}
    assert set(first['400']) == {'plain', 'hnsw'}
    monkeypatch.setattr('mmtbps.search.FaissHNSW.make', None)
    again = measure(f'{command} --folder {tmp_path}')['identity']
    for size, found in first.items():
        assert again[size]['hnsw']['build, CPU (s)'] == found['hnsw']['build, CPU (s)']
        assert again[size]['hnsw']['recall@10'] == 1


def test_the_recipes_are_what_they_say(measure):
    galleries = importlib.import_module('benchmarks.made_galleries')
    made = {
        kind: [galleries.make_features(kind, 5000, 256, query) for query in (False, True)] for kind in galleries.VECTORS
    }
    for kind, cosine in (('identity', 0.857 * 0.8), ('isotropic', 0.707 * 0.894)):
        images, queries = made[kind]
        own = (queries @ images.T).sort(dim=1, descending=True).values[:, :10]
        assert own.mean() == pytest.approx(cosine, abs=0.05)
    for kind, width in (('identity', 32), ('isotropic', 230), ('gaussian', 240)):
        spectrum = torch.linalg.eigvalsh(torch.cov(made[kind][0].T))
        assert spectrum.sum() ** 2 / (spectrum**2).sum() == pytest.approx(width, rel=0.15)
    images, queries = made['identity']
    assert torch.equal(galleries.plain_search(images, queries[0], 7), (images @ queries[0]).topk(7).indices)


def test_a_folder_of_another_gallery_is_refused(measure, tmp_path):
    galleries = importlib.import_module('benchmarks.made_galleries')
    features = galleries.make_features('identity', 40, 32, query=False)
    galleries.make_gallery(tmp_path, features)
    galleries.make_gallery(tmp_path, features)
    with pytest.raises(ValueError, match='has a gallery of other features'):
        galleries.make_gallery(tmp_path, -features)
