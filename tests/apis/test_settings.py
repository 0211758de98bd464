"""Settings that MMEngine has: a short run with each ends well, or is refused before anything is trained."""

import subprocess
import sys
from pathlib import Path

import pytest

from mmtbps.apis import train

PROFILED = """
import sys
from mmengine.config import Config
from mmtbps.apis import test, train
cfg = Config.fromfile(sys.argv[1])
train(cfg)
cfg = Config.fromfile(sys.argv[1])
cfg.work_dir += '-test'
cfg.experiment_name += '-test'
test(cfg, sys.argv[2])
"""


def several_best(cfg):
    cfg.default_hooks.checkpoint.save_best = ['i2t/mAP', 't2i/R@1']
    cfg.default_hooks.checkpoint.rule = ['greater', 'greater']


def early_stopping(cfg):
    cfg.train_cfg.max_epochs = 4
    cfg.custom_hooks = [dict(type='EarlyStoppingHook', monitor='t2i/R@1', rule='greater', patience=1, min_delta=200)]


def plateau(cfg):
    cfg.param_scheduler = [dict(type='ReduceOnPlateauLR', monitor='t2i/R@1', rule='greater', factor=0.5, patience=1)]


def averaged(cfg):
    cfg.custom_hooks = [dict(type='EMAHook')]


def accumulated(cfg):
    cfg.optim_wrapper.accumulative_counts = 2


def logged_by_iteration(cfg):
    cfg.default_hooks.logger = dict(type='LoggerHook', interval=1, log_metric_by_epoch=False)


def unused_parameters(cfg):
    cfg.find_unused_parameters = True


def iterations(cfg):
    cfg.train_cfg = dict(by_epoch=False, max_iters=4, val_interval=2)
    cfg.param_scheduler = []
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=2)
    cfg.log_processor = dict(by_epoch=False)


def dynamic_validation(cfg):
    cfg.train_cfg.dynamic_intervals = [(1, 1)]


SETTINGS = [
    several_best, early_stopping, plateau, averaged, accumulated, logged_by_iteration, unused_parameters, iterations,
    dynamic_validation,
]  # fmt: skip
# What the last line of a run says of the weights that it tested.
TESTED = {several_best: 'best epoch on val (1)', iterations: 'best iteration on val'}


@pytest.mark.parametrize('setting', SETTINGS, ids=lambda setting: setting.__name__)
def test_a_short_run(config, setting, capfd):
    cfg = config()
    setting(cfg)
    assert train(cfg)['t2i/R@1'] >= 0
    assert list(Path(cfg.work_dir).glob('best_*.pth'))
    assert TESTED.get(setting, 'best epoch on val') in capfd.readouterr().out
    if setting is early_stopping:
        assert (Path(cfg.work_dir) / 'epoch_2.pth').is_file(), 'it ends behind the first epoch that is no better'


def test_checkpoints_of_a_loop_of_iterations_are_of_iterations(config):
    cfg = config()
    cfg.train_cfg = dict(by_epoch=False, max_iters=9, val_interval=4)
    cfg.param_scheduler = []
    train(cfg)  # an epoch of `default_hooks.checkpoint` is a pass of four iterations
    names = {file.name for file in Path(cfg.work_dir).glob('*.pth')}
    assert {name for name in names if name.startswith('iter')} == {'iter_9.pth'}
    assert any(name.startswith('best_') and '_iter_' in name for name in names)


def test_an_epoch_without_an_end_and_two_choices_of_the_best_are_refused(config):
    cfg = config()
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
    with pytest.raises(ValueError, match='an InfiniteSampler, with which an epoch never ends'):
        train(cfg)
    cfg = config()
    cfg.work_dir += '-two'
    cfg.custom_hooks = [dict(type='CheckpointHook', interval=1, save_best='i2t/mAP')]
    with pytest.raises(ValueError, match='Two CheckpointHooks have save_best'):
        train(cfg)


def test_a_profiled_run_and_test_end_well(config, checkpoint, tmp_path):
    cfg = config()
    cfg.custom_hooks = [dict(type='ProfilerHook', by_epoch=False, profile_times=1)]
    cfg.dump(tmp_path / 'profiled.py')
    done = subprocess.run([sys.executable, '-c', PROFILED, tmp_path / 'profiled.py', checkpoint], check=False)
    assert done.returncode == 0


def test_another_runner_is_refused(config):
    cfg = config()
    cfg.runner_type = 'FlexibleRunner'
    with pytest.raises(ValueError, match=r'FlexibleRunner.* is not supported'):
        train(cfg)
