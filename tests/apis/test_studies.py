"""Studies with a stand-in for the training tool; tests/tools/test_ablate.py trains for real."""

import math
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer

import mmtbps
from mmtbps.apis.studies import Study, execution, format_table, run_study, summarise
from mmtbps.apis.studies.plot import draw_study
from mmtbps.apis.studies.report import format_difference

CONFIGS = Path(mmtbps.__file__).parents[1] / 'configs'
# Writes what tools/train.py would; the metric is a function of config and seed, and the threads are noted.
STAND_IN = """
import json, os, shutil, sys
config, _, folder, resume, _, out = sys.argv[1:]
assert resume == '--resume'
cfg = {}
exec(open(config).read(), cfg)
os.makedirs(folder, exist_ok=True)
with open(os.path.join(folder, 'starts'), 'a') as file:
    file.write(os.environ['OMP_NUM_THREADS'])
if cfg['fails']:
    sys.exit('broken on purpose')
checkpoint = shutil.copy(os.path.join(os.path.dirname(__file__), 'epoch_1.pth'), folder)
open(os.path.join(folder, 'last_checkpoint'), 'w').write(checkpoint)
json.dump({'R@1': cfg['score'] + cfg['randomness']['seed'], 'mAP': 5.0}, open(out, 'w'))
"""
# A shell that waits for its command, to which it does not hand signals on.
KEEPS_SIGNALS = """sh -c '"$@"; exit' sh"""
STUDY = """
title = 'A title'
seeds = [0, 1, 4]
metrics = ['R@1']
_own = 30
bases = dict(
    small=dict(leaf=dict(config='base.py', changes=dict(nested=dict(a=1)))),
    large=dict(leaf=dict(config='base.py')),
)
variants = dict(
    small=dict(
        low=dict(base='leaf'),
        high=dict(base='leaf', label='the high one', changes={'score': _own, 'nested.b': 7}),
        other=dict(base='leaf', changes=dict(nested=dict(_delete_=True, c=3))),
    ),
    large=dict(deep=dict(base='leaf', changes={'nested.b': 5})),
)
"""


@pytest.fixture
def study_file(tmp_path, monkeypatch):
    (tmp_path / 'train.py').write_text(STAND_IN)
    times = HistoryBuffer([2.0, 3.0], [1, 1])
    torch.save(dict(message_hub=dict(log_scalars={'train/time': times})), tmp_path / 'epoch_1.pth')
    monkeypatch.setattr(execution, '_TRAIN_TOOL', tmp_path / 'train.py')
    monkeypatch.setattr(execution, '_POLL_SECONDS', 0.01)
    (tmp_path / 'base.py').write_text('score = 10\nfails = False\nnested = dict(a=0, b=0)\nrandomness = dict(seed=9)\n')
    (tmp_path / 'study.py').write_text(STUDY)
    return tmp_path / 'study.py'


def starts(run):
    return (run.folder / 'starts').read_text()


def test_changes_merge_as_a_leaf_does_and_seeds_reach_the_runs(study_file, tmp_path):
    study = Study.fromfile(study_file)
    nested = {variant.name: variant.config.nested.to_dict() for variant in study.variants}
    assert nested == dict(low=dict(a=1, b=0), high=dict(a=1, b=7), other=dict(c=3))
    assert [variant.label for variant in study.variants] == ['low', 'the high one', 'other']
    runs = list(study.runs(tmp_path))
    assert [run.seed for run in runs] == [0] * 3 + [1] * 3 + [4] * 3
    assert len({run.folder for run in runs}) == 9


def test_a_study_runs_on_any_of_its_data_sets(study_file):
    first, large = Study.fromfile(study_file), Study.fromfile(study_file, 'large')
    assert (first.name, first.title) == ('study_small', 'A title (small)')
    assert (large.name, [variant.name for variant in large.variants]) == ('study_large', ['deep'])
    assert large.variants[0].config.nested.to_dict() == dict(a=0, b=5)


def test_variants_are_chosen_by_pattern(study_file):
    assert [variant.name for variant in Study.fromfile(study_file, only='*[ow]').variants] == ['low']
    with pytest.raises(ValueError, match=r"no variant on small matches 'huge\*'; there are \['high', 'low', 'other'\]"):
        Study.fromfile(study_file, only='huge*')


def test_an_unknown_data_set_is_refused(study_file):
    with pytest.raises(ValueError, match=r"variants: there is no 'huge'; choose from \['large', 'small'\]"):
        Study.fromfile(study_file, 'huge')


@pytest.mark.parametrize('jobs', [1, 4])
def test_every_run_is_made_once_and_summarised(study_file, tmp_path, jobs, capsys):
    study = Study.fromfile(study_file)
    runs = run_study(study, tmp_path / 'work', jobs=jobs, threads=3)
    assert [starts(run) for run in runs] == ['3'] * 9
    low, high, _ = summarise(study, runs)
    np.testing.assert_array_equal(low.values['R@1'], [10, 11, 14])
    np.testing.assert_array_equal(high.values['train_seconds'], [5, 5, 5])
    deviation = math.sqrt(((10 - 35 / 3) ** 2 + (11 - 35 / 3) ** 2 + (14 - 35 / 3) ** 2) / 2)
    assert low.format('R@1', digits=2) == f'11.67 ± {deviation:.2f}'
    table = format_table(study, [low, high]).splitlines()
    assert table[0] == '|  | R@1 | training, s | seeds |'
    assert table[3] == '| the high one | 31.7 ± 2.1 | 5 ± 0 | 3 |'
    run_study(study, tmp_path / 'work', jobs=jobs)
    assert [starts(run) for run in runs] == ['3'] * 9
    assert '9 of them done already' in capsys.readouterr().err


def test_missing_run_alone_is_made_again(study_file, tmp_path):
    study = Study.fromfile(study_file)
    runs = run_study(study, tmp_path / 'work', jobs=4)
    runs[4].result_file.unlink()
    assert [len(summary.values['R@1']) for summary in summarise(study, runs)] == [3, 2, 3]
    run_study(study, tmp_path / 'work')
    assert [starts(run) for run in runs] == ['1'] * 4 + ['11'] + ['1'] * 4


def test_failed_runs_are_named_and_do_not_stop_the_others(study_file, tmp_path):
    study_file.write_text(STUDY.replace("low=dict(base='leaf')", "low=dict(base='leaf', changes=dict(fails=True))"))
    study = Study.fromfile(study_file)
    with pytest.raises(RuntimeError, match=r'3 of 9 runs failed.*seed_4\.log \(broken on purpose\)'):
        run_study(study, tmp_path / 'work', jobs=2)
    summaries = summarise(study, study.runs(tmp_path / 'work'))
    assert [len(summary.values['R@1']) for summary in summaries] == [0, 3, 3]
    assert '| low | none yet | none yet | 0 |' in format_table(study, summaries)
    draw_study(study, summaries, tmp_path / 'plot.png')
    assert (tmp_path / 'plot.png').read_bytes().startswith(b'\x89PNG')


def test_results_of_another_config_are_refused(study_file, tmp_path):
    run_study(Study.fromfile(study_file), tmp_path / 'work', jobs=4)
    study_file.write_text(STUDY.replace('_own = 30', '_own = 31'))
    study = Study.fromfile(study_file)
    for use in (lambda: run_study(study, tmp_path / 'work'), lambda: summarise(study, study.runs(tmp_path / 'work'))):
        with pytest.raises(ValueError, match=r'high/seed_0\.py differs'):
            use()


def test_stopping_the_study_stops_its_runs(study_file, tmp_path):
    (tmp_path / 'train.py').write_text(
        'import os, sys, time\nos.makedirs(sys.argv[3])\n'
        "open(os.path.join(sys.argv[3], 'pid'), 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
    )
    script = f"""
        import runpy, sys
        from mmtbps.apis.studies import execution
        execution._TRAIN_TOOL = {str(tmp_path / 'train.py')!r}
        sys.argv = ['ablate.py', {str(study_file)!r}, '--work-dir', {str(tmp_path / 'work')!r},
                    '--prefix', {KEEPS_SIGNALS!r}]
        runpy.run_path({str(CONFIGS.parent / 'tools/analysis_tools/ablate.py')!r}, run_name='__main__')
    """
    process = subprocess.Popen([sys.executable, '-c', textwrap.dedent(script)], stderr=subprocess.DEVNULL)
    pid = tmp_path / 'work/low/seed_0/pid'
    wait_until(lambda: pid.is_file() and pid.read_text())
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
    wait_until(lambda: not Path('/proc', pid.read_text()).exists())


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('_own', 'own', r"unknown keys \['own'\]"),
        ("title = 'A title'", '', r"missing keys \['title'\]"),
        ('label=', 'lable=', r"variant 'high'.*unknown keys \['lable'\]"),
        (
            "low=dict(base='leaf')",
            "low=dict(base='root')",
            r"variant 'low': base: there is no 'root'; choose from \['leaf'\]",
        ),
        ('dict(config=', 'dict(path=', r"base 'leaf': missing keys \['config'\], unknown keys \['path'\]"),
        ('    small=dict(leaf', '    tiny=dict(leaf', r"bases: there is no 'small'; choose from \['large', 'tiny'\]"),
        ('[0, 1, 4]', '[0, 1, 0]', 'seeds must not be empty nor have duplicates'),
        ("['R@1']", '[]', 'metrics must not be empty'),
    ],
)
def test_wrong_study_files_are_refused(study_file, old, new, message):
    study_file.write_text(STUDY.replace(old, new))
    with pytest.raises(ValueError, match=message):
        Study.fromfile(study_file)


def test_unknown_metric_and_wrong_numbers_are_refused(study_file, tmp_path):
    study_file.write_text(STUDY.replace("['R@1']", "['R@1', 'mINP']"))
    study = Study.fromfile(study_file)
    with pytest.raises(ValueError, match='jobs must be at least 1'):
        run_study(study, tmp_path / 'work', jobs=0)
    runs = run_study(study, tmp_path / 'work', jobs=4)
    with pytest.raises(ValueError, match=r"lacks \['mINP'\] of study_small; it has \['R@1', 'mAP', 'train_seconds'\]"):
        summarise(study, runs)


@pytest.mark.usefixtures('unformatted_configs')
@pytest.mark.parametrize('path', sorted((CONFIGS / '_studies_').glob('*.py')), ids=lambda path: path.stem)
def test_studies_of_the_house_are_complete(path, tmp_path):
    for data_set in Config.fromfile(path).variants:
        study = Study.fromfile(path, data_set)
        assert len(study.seeds) >= 3
        for run in study.runs(tmp_path / data_set):
            run.write_config()
            assert f'seed={run.seed}' in run.config_file.read_text()


@pytest.mark.parametrize('name', ['cm-moco_vs_baseline', 'losses', 'momentum', 'queue_size', 'transfer'])
def test_studies_of_the_paper_run_on_cuhk_pedes(name):
    study = Study.fromfile(CONFIGS / '_studies_' / f'{name}.py', 'cuhk_pedes')
    datasets = [
        variant.config[f'{split}_dataloader'].dataset for variant in study.variants for split in ('train', 'test')
    ]
    assert {(dataset.type, dataset.data_root) for dataset in datasets} == {('CUHKPEDES', 'data/cuhk_pedes')}


STAGES = """
stages = dict(small=dict(warm=dict(base='leaf', changes=dict(score=3)), idle=dict(base='leaf')))
variants['small']['high'].update(start='warm', against='low')
"""


@pytest.fixture
def staged(study_file):
    study_file.write_text(STUDY + STAGES)
    (study_file.parent / 'base.py').write_text(
        (study_file.parent / 'base.py').read_text() + 'train_cfg = dict(max_epochs=1)\nload_from = None\n'
    )
    return study_file


def test_a_variant_starts_where_its_stage_ended(staged, tmp_path):
    study = Study.fromfile(staged)
    assert [stage.name for stage in study.stages] == ['warm']
    runs = run_study(study, tmp_path / 'work')
    stages = study.stage_runs(tmp_path / 'work')
    assert [starts(run) for run in (*stages, *runs)] == ['1'] * (3 + 9)
    for run in runs:
        start = Config.fromfile(run.config_file).load_from
        expected = tmp_path / 'work' / 'stages' / 'warm' / f'seed_{run.seed}' / 'epoch_1.pth'
        assert start == (str(expected) if run.variant.name == 'high' else None)
        assert run.variant.name != 'high' or expected.is_file()
    assert len(summarise(study, runs)) == 3


def test_a_stage_that_no_variant_starts_from_is_not_trained(staged):
    assert not Study.fromfile(staged, only='low').stages


def test_paired_differences_are_those_of_the_seeds(staged, tmp_path):
    study = Study.fromfile(staged)
    runs = run_study(study, tmp_path / 'work')
    summaries = summarise(study, runs)
    low, high, _ = summaries
    np.testing.assert_array_equal(high.differences(low, 'R@1'), [20, 20, 20])
    table = format_table(study, summaries)
    assert '| the high one - low | +20.0 [+20.0, +20.0], 3 of 3 > 0 |' in table
    assert format_difference(np.array([1.0])) == 'none yet'
    # Student's t with two degrees of freedom: 4.303 standard errors.
    assert format_difference(np.array([-1.0, 1.0, 3.0])) == '+1.0 [-4.0, +6.0], 2 of 3 > 0'


@pytest.mark.parametrize(('key', 'name'), [('start', 'hot'), ('against', 'lowest')])
def test_a_stage_or_variant_that_is_not_there_is_named(staged, key, name):
    staged.write_text(staged.read_text() + f"variants['small']['other'].update({key}='{name}')\n")
    with pytest.raises(ValueError, match=rf"variant 'other': {key}: there is no '{name}'; choose from"):
        Study.fromfile(staged)
