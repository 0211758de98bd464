"""What a training shows on the terminal, and what it keeps for the log."""

import logging
import sys

import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger
from stand_ins import small_run, write_persons
from tqdm import tqdm

import mmtbps
from mmtbps.apis import train
from mmtbps.core import terminal
from mmtbps.core.terminal import progress_bar, quieten, tell

pytestmark = pytest.mark.usefixtures('unformatted_configs')
CAPTIONS = ['A man in red walks.', 'He is in red.']


class Eager(tqdm):
    """A bar that draws each step."""

    def __init__(self, *args, **given):
        super().__init__(*args, **dict(given, mininterval=0))


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Train on a few persons; returns lines of the output stream, the error stream, and the log file."""
    root = write_persons(tmp_path, 'CUHKPEDES', CAPTIONS)

    def run(on_terminal=False, **changes):
        cfg = Config.fromfile(f'{mmtbps.__path__[0]}/.mim/configs/dual_stream/dual-stream_tiny_toypedes.py')
        cfg.merge_from_dict(small_run(root))
        for name in ('train', 'val', 'test'):
            dataset = cfg[f'{name}_dataloader'].dataset
            dataset.type = 'CUHKPEDES'
            dataset.pop('drawing')
        cfg.merge_from_dict({'train_cfg.max_epochs': 2, 'auto_scale_lr.base_batch_size': 4, **changes})
        cfg.work_dir = str(tmp_path / 'run')
        monkeypatch.setattr(sys.stderr, 'isatty', lambda: on_terminal, raising=False)
        # Every step is drawn, however fast it was.
        monkeypatch.setattr(terminal, 'tqdm', Eager)
        train(cfg)
        printed = capsys.readouterr()
        (log,) = (tmp_path / 'run').glob('*/*.log')
        return printed.out.splitlines(), printed.err, log.read_text()

    return run


def test_two_lines_an_epoch_and_the_table(run):
    lines, errors, log = run()
    assert lines[0].startswith('dual-stream_tiny_toypedes: 16 pairs, vocab_size=9, 2 epochs of 4 steps, on cpu. Log: ')
    assert [line.split('  ')[0] for line in lines[1:5]] == ['epoch 1/2', '', 'epoch 2/2', '']
    assert all('loss ' in line and 'lr ' in line and 'took ' in line for line in lines[1:5:2])
    assert all('t2i/R@1 ' in line and 'best t2i/R@1 so far ' in line for line in lines[2:5:2])
    assert 'best epoch on val' in lines[5] or 'best epoch on val' in lines[6]
    assert len(lines) < 15
    assert '%|' not in errors
    # The file has all that MMEngine says.
    assert len(log.splitlines()) > 100
    assert all(part in log for part in ('System environment', 'Hooks will be executed', 'Epoch(train) [2][4/4]'))


def test_on_a_terminal_there_is_a_bar(run):
    _, errors, _ = run(on_terminal=True)
    frames = [part for part in errors.replace('\n', '\r').split('\r') if '%|' in part]
    assert any('epoch 2/2: 100%' in frame and 'loss ' in frame and 'best ' in frame for frame in frames)
    assert any('validating' in frame for frame in frames)
    assert any('testing' in frame for frame in frames)


def test_everything_on_request(run):
    lines, *_ = run(**{'default_hooks.terminal': None})
    assert len(lines) > 100
    assert any('Hooks will be executed' in line for line in lines)


def test_iterations_have_lines_too(run):
    changes = {
        'train_cfg': dict(_delete_=True, by_epoch=False, max_iters=6, val_interval=3),
        'param_scheduler': None,
        'default_hooks.checkpoint': dict(by_epoch=False, interval=3),
        'default_hooks.logger': dict(interval=2),
        'log_processor': dict(by_epoch=False),
    }
    lines, _, _ = run(**changes)
    assert '6 iterations' in lines[0]
    assert [line.split('  ')[0] for line in lines[1:] if line.startswith('iteration')][-1] == 'iteration 6/6'
    assert sum(line.startswith('    val') for line in lines) == 2


def test_warnings_come_through_and_others_calls_do_not(capsys):
    logger = MMLogger('quiet', logger_name='quiet')
    (stream,) = [handler for handler in logger.handlers if type(handler) is logging.StreamHandler]
    quieten(logger)
    filters = list(stream.filters)
    quieten(logger)
    assert stream.filters == filters
    MMLogger._instance_dict['quiet'] = logger
    try:
        logger.info('not shown')
        logger.warning('"FileClient" will be deprecated in future.')
        logger.warning('careful')
        tell('shown')
    finally:
        del MMLogger._instance_dict['quiet']
    printed = capsys.readouterr()
    assert (printed.out + printed.err).splitlines() == ['warning: careful', 'shown']


def test_a_bar_of_nothing_and_off_a_terminal(capsys):
    assert list(progress_bar(0, 'nothing', iterable=[])) == []
    assert list(progress_bar(3, 'some', iterable=range(3))) == [0, 1, 2]
    assert capsys.readouterr().err == ''
