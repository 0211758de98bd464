"""Features of a test evaluated later: the same figures, and errors where the file is about something else."""

import importlib
import json
import runpy
import sys
from pathlib import Path

import pytest
from tiny_checkpoint import CONFIG, write_checkpoint

import mmtbps
from mmtbps.apis.reports.files import load_report
from mmtbps.evaluation import load_features

ROOT = Path(mmtbps.__file__).parents[1]
DRAWING = dict(num_train_ids=2, num_val_ids=1, num_test_ids=5, seed=3)


@pytest.fixture(scope='module')
def tested(tmp_path_factory):
    """A test of an untrained model, as a user runs it: config, checkpoint, figures, dump and report."""
    folder = tmp_path_factory.mktemp('tested')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        checkpoint = write_checkpoint(folder / 'model.pth', ['a', 'man', 'woman'])
        config = folder / 'config.py'
        data = dict(data_root=str(folder / 'toy'), drawing=DRAWING)
        config.write_text(
            f'_base_ = {str(ROOT / CONFIG)!r}\n'
            f'test_dataloader = dict(num_workers=0, persistent_workers=False, dataset={data!r})\n'
            "test_evaluator = dict(rerank=dict(type='NeighborJaccard', k=2), topk=[1, 2])\n"
        )
        names = dict(out='figures.json', dump='features.npz', report='report')
        switches = [part for name, file in names.items() for part in (f'--{name}', str(folder / file))]
        command = ['test.py', str(config), checkpoint, '--work-dir', str(folder / 'work'), *switches]
        patch.setattr(sys, 'argv', command)
        runpy.run_path('tools/test.py', run_name='__main__')
    return folder


@pytest.fixture
def evaluate(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / 'tools' / 'analysis_tools'))
    tool = importlib.import_module('eval_features')

    def run(*arguments):
        out = tmp_path / 'out.json'
        tool.main([*map(str, arguments), '--out', str(out)])
        return json.loads(out.read_text())

    return run


def test_figures_are_those_of_the_test(tested, evaluate, tmp_path, capsys):
    arguments = ['--config', tested / 'config.py', '--checkpoint', tested / 'model.pth', '--report', tmp_path / 'r']
    found = evaluate(tested / 'features.npz', *arguments)['figures']
    flat = {f'{ranking}/{name}': value for ranking, row in found.items() for name, value in row.items()}
    assert flat == json.loads((tested / 'figures.json').read_text())
    assert set(found) == {'t2i', 't2i+jaccard', 'i2t', 'i2t+jaccard'}
    assert 'model.pth on ToyPEDES test' in capsys.readouterr().out
    assert load_report(tmp_path / 'r').figures == load_report(tested / 'report').figures == found


def test_other_rerankers_can_be_asked_for(tested, evaluate):
    found = evaluate(tested / 'features.npz', '--rerank', 'KReciprocal', 'QueryExpansion', '--topk', 4)['figures']
    assert set(found) >= {'t2i+k-reciprocal', 'i2t+query-expansion'}
    assert list(found['t2i']) == ['R@4', 'mAP', 'mINP']


def test_the_file_says_what_made_it(tested):
    meta = load_features(tested / 'features.npz').meta
    known = ('model', 'checkpoint', 'config', 'trained_on', 'dataset', 'split')
    assert {name: meta[name] for name in known} == dict(
        model='DualStreamRetriever', checkpoint='model.pth', config=str(tested / 'config.py'), trained_on='ToyPEDES',
        dataset='ToyPEDES', split='test',
    )  # fmt: skip
    assert 0 < meta['unknown_words']['unknown'] < meta['unknown_words']['total']


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ('model = dict(text_stream=dict(neck=dict(hidden_size=7)))', 'whose settings are not those of'),
        ("test_dataloader = dict(dataset=dict(split='val'))", 'ToyPEDES test, not ToyPEDES val'),
        ('test_dataloader = dict(dataset=dict(data_root=ROOT, drawing=dict(seed=4)))', 'other persons or captions'),
    ],
)
def test_another_config_is_an_error(tested, evaluate, tmp_path, change, message):
    config = tmp_path / 'other.py'
    config.write_text(f'_base_ = {str(tested / "config.py")!r}\n' + change.replace('ROOT', repr(str(tmp_path / 'toy'))))
    with pytest.raises(ValueError, match=message):
        evaluate(tested / 'features.npz', '--config', config)


def test_another_checkpoint_is_an_error(tested, evaluate, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    other = write_checkpoint(tmp_path / 'model.pth', ['a', 'man', 'woman'], seed=1)
    with pytest.raises(ValueError, match=r'the checkpoint model\.pth, whose bytes are not those of'):
        evaluate(tested / 'features.npz', '--checkpoint', other)


def test_compare_prints_and_writes(tested, evaluate, tmp_path, monkeypatch, capsys):
    evaluate(tested / 'features.npz', '--report', tmp_path / 'b')
    compare, out = importlib.import_module('compare_reports'), tmp_path / 'comparison.json'
    compare.main([str(tested / 'report'), str(tmp_path / 'b'), '--samples', '50', '--out', str(out)])
    printed = capsys.readouterr().out
    assert 'A: DualStreamRetriever, model.pth, trained on ToyPEDES' in printed
    assert '95% interval of B - A' in printed
    assert [entry['ranking'] for entry in json.loads(out.read_text())] == ['t2i', 'i2t']
