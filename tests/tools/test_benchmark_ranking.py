"""The benchmarks of ranking and re-ranking, at a size that takes no time: their yardsticks give the same answers."""

import importlib
import json
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / 'tools' / 'analysis_tools'


@pytest.fixture
def measure(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(TOOLS))
    benchmark = importlib.import_module('benchmark')

    def run(command):
        benchmark.main([*command.split(), '--repeats', '1', '--out', str(tmp_path / 'out.json')])
        return json.loads((tmp_path / 'out.json').read_text())['figures']

    return run


def test_rank_agrees_with_argsort(measure):
    figures = measure('rank --queries 60 --gallery 50 --identities 8 --dim 16 --plain-chunk 7')
    assert 0 < figures['R@1'] < 100
    assert figures['largest difference to torch.argsort'] < 1e-9
    assert figures['speed, ratio to chunked torch.argsort'] > 0


def test_rerank_agrees_with_the_usual_forms(measure):
    sizes = '--dim 16 --captions 40 --images 21 --plain-queries 40 --queries 12 --gallery 60'
    large = '--large-queries 5 --large-gallery 120 --full-gallery 90 --jaccard-shortlist 90'
    figures = measure(f'rerank {sizes} {large}')
    assert figures['jaccard']['largest difference to Python sets'] < 1e-6
    assert figures['k-reciprocal']['largest difference to dense numpy'] < 1e-5
    assert figures['shortlist']['jaccard']['share of queries with the same ten best'] == 1


def test_rerank_measures_the_parts_asked_for(measure):
    assert set(measure('rerank --parts jaccard --dim 8 --captions 12 --images 9 --plain-queries 3')) == {'jaccard'}


def test_growth_measures_and_draws(measure, tmp_path):
    plot = tmp_path / 'growth.png'
    sizes = '--sizes 30 60 --queries 4 --full-up-to 30 --k-reciprocal-shortlist 20 --dim 8'
    figures = measure(f'growth {sizes} --plot {plot}')
    assert set(figures['rank']) == {'30', '60'}
    assert set(figures['k-reciprocal, full']) == {'30'}
    assert plot.stat().st_size > 1000
