"""``--out`` of trainings and tests, and what they say when the machine runs out of something."""

import errno
import sys
from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmengine.fileio import load

from mmtbps import cli
from mmtbps.cli.metrics_file import require_metrics_file, write_metrics


@pytest.mark.parametrize('suffix', ['.json', '.yaml', '.yml', '.pkl'])
def test_metrics_come_back(tmp_path, suffix):
    file = tmp_path / f'metrics{suffix}'
    require_metrics_file(str(file))
    write_metrics({'t2i/R@1': 12.5}, str(file))
    assert load(file) == {'t2i/R@1': 12.5}


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['mmtbps', *arguments])
    cli.main()


@pytest.mark.parametrize('command', [['train', 'cm-moco_tiny_toypedes'], ['test', 'a.py', 'b.pth']])
def test_a_file_without_a_format_is_refused_before_anything_is_done(tmp_path, monkeypatch, capsys, command):
    for out in ('metrics.txt', str(tmp_path)):
        with pytest.raises(SystemExit) as end:
            run(monkeypatch, *command, '--out', out)
        assert end.value.code == 2
        assert '--out must be a file that ends in one of .json' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('error', 'told'),
    [
        (OSError(errno.ENOSPC, 'No space left on device'), 'No space left on device. Free space on that disk.'),
        (
            RuntimeError('DataLoader worker (pid 7) is killed by signal: Killed.'),
            'set a smaller train_dataloader.num_workers',
        ),
        (RuntimeError('something else'), None),
    ],
)
def test_what_the_machine_ran_out_of_is_told_with_the_way_on(tmp_path, monkeypatch, capsys, error, told):
    def fail(cfg):
        raise error

    monkeypatch.setattr('mmtbps.apis.runs.train', fail)
    monkeypatch.setattr('mmtbps.cli.train.config_of', lambda *_: Config(dict(train_cfg=dict(max_epochs=1))))
    monkeypatch.setattr('mmtbps.apis.options.apply_train_options', lambda cfg, *_: cfg)
    monkeypatch.setattr(
        'mmtbps.engine.resuming.find_resumable', lambda _: (SimpleNamespace(name='epoch_3.pth'), '')
    )  # what stands on the disk
    with pytest.raises(SystemExit):
        run(monkeypatch, 'train', 'any', '--work-dir', str(tmp_path))
    said = capsys.readouterr().err
    if told is None:
        assert said.strip().endswith('something else')
    else:
        assert told in said
        assert f'To go on from epoch_3.pth, add: --resume --work-dir {tmp_path}' in said
