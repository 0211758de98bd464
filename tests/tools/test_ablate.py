import importlib
from pathlib import Path

import pytest

import mmtbps

ROOT = Path(mmtbps.__file__).parents[1]
STUDY = """
title = 'A rate'
seeds = [0]
metrics = ['t2i/R@1', 'i2t/mAP']
_data = dict(
    dataset=dict(data_root='{root}/data', drawing=dict(num_train_ids=16, num_val_ids=4, num_test_ids=4)),
    num_workers=0,
    persistent_workers=False,
)
_small = dict(
    train_dataloader=dict(_data, batch_size=16, sampler=dict(batch_size=16)),
    val_dataloader=_data,
    test_dataloader=_data,
    train_cfg=dict(max_epochs=1),
)
bases = dict(toypedes=dict(baseline=dict(config='{leaf}', changes=_small)))
variants = dict(
    toypedes=dict(
        fast=dict(base='baseline', changes={{'optim_wrapper.optimizer.lr': 0.01}}),
        slow=dict(base='baseline'),
    ),
)
"""


@pytest.fixture
def ablate(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'tools' / 'analysis_tools'))
    return importlib.import_module('ablate')


def test_study_of_real_trainings_ends_in_table_and_plot(ablate, tmp_path, capsys):
    leaf = ROOT / 'configs/dual_stream/dual-stream_tiny_toypedes.py'
    (tmp_path / 'rate.py').write_text(STUDY.format(root=tmp_path, leaf=leaf))
    arguments = [
        str(tmp_path / 'rate.py'),
        '--data-set',
        'toypedes',
        '--only',
        'fast',
        '--work-dir',
        str(tmp_path / 'work'),
        '--out-dir',
        str(tmp_path / 'out'),
    ]
    ablate.main([*arguments, '--prefix', 'env TRIED=yes'])
    table = (tmp_path / 'out/rate_toypedes.md').read_text()
    (fast,) = table.splitlines()[2:]
    assert fast.startswith('| fast | ')
    assert fast.endswith(' | 1 |')
    assert table in capsys.readouterr().out
    assert (tmp_path / 'out/rate_toypedes.png').is_file()
    assert 'best epoch on val (1)' in (tmp_path / 'work/fast/seed_0.log').read_text()
    assert 'lr=0.01' in (tmp_path / 'work/fast/seed_0/seed_0.py').read_text()
    (tmp_path / 'out/rate_toypedes.md').unlink()
    ablate.main([*arguments, '--report-only'])
    assert (tmp_path / 'out/rate_toypedes.md').read_text() == table


def test_failed_trainings_end_in_an_error(ablate, tmp_path):
    leaf = ROOT / 'configs/dual_stream/dual-stream_tiny_toypedes.py'
    (tmp_path / 'rate.py').write_text(STUDY.format(root=tmp_path, leaf=leaf))
    with pytest.raises(SystemExit, match='2 of 2 runs failed'):
        ablate.main([str(tmp_path / 'rate.py'), '--work-dir', str(tmp_path / 'work'), '--prefix', 'false'])
