import importlib
import json
from pathlib import Path

import numpy as np
import open_clip
import pytest

TOOLS = Path(__file__).parents[2] / 'tools' / 'analysis_tools'


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module('benchmark')


def test_sampler_reports_figures_and_ratio(benchmark, tmp_path, capsys):
    out = tmp_path / 'out.json'
    sizes = '--pairs 60 --identities 12 --batch-size 8 --num-instances 2 --repeats 2'
    benchmark.main(['sampler', *sizes.split(), '--out', str(out)])
    report = json.loads(out.read_text())
    assert report['benchmark'] == 'sampler'
    assert report['settings'] == dict(pairs=60, identities=12, batch_size=8, num_instances=2, repeats=2)
    figures = report['figures']
    assert figures['items per epoch'] % 8 == 0
    assert figures['speed, ratio to plain'] > 0
    assert 'ratio to plain' in capsys.readouterr().out


def test_plain_plan_is_made_of_whole_blocks(benchmark):
    person_ids = np.arange(40) % 9
    plan = importlib.import_module('benchmarks.sampler').plain_plan(person_ids, 6, 2)
    assert len(plan) % 6 == 0
    assert (person_ids[plan[::2]] == person_ids[plan[1::2]]).all()


def test_pipeline_reports_both_formats(benchmark, tmp_path):
    out = tmp_path / 'out.json'
    benchmark.main(['pipeline', '--images', '3', '--file-size', '24', '16', '--repeats', '1', '--out', str(out)])
    figures = json.loads(out.read_text())['figures']
    assert set(figures) == {'jpg', 'png'}
    for row in figures.values():
        assert 0 < row['ratio to plain, including it'] < row['ratio to plain']


@pytest.mark.parametrize('arguments', [[], ['sampler', '--repeats', '0'], ['pipeline', '--formats', 'gif']])
def test_wrong_command_lines_are_refused(benchmark, arguments):
    with pytest.raises(SystemExit):
        benchmark.parse_args(arguments)


def test_indexing_encodes_what_open_clip_encodes(benchmark, tmp_path, monkeypatch):
    sizes = dict(
        embed_dim=16, vision_cfg=dict(image_size=32, layers=1, width=64, patch_size=16),
        text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1),
    )  # fmt: skip
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, 'small', sizes)
    out = tmp_path / 'out.json'
    arguments = '--model small --images 3 --file-size 70 31 --size 48 16 --workers 0 --repeats 1'
    benchmark.main(['indexing', *arguments.split(), '--out', str(out)])
    figures = json.loads(out.read_text())['figures']
    assert figures['lowest cosine to the plain features'] > 0.99999
    assert figures['ratio to plain'] > 0
