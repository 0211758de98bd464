"""The hooks that make a resumed run go on as an uninterrupted one."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner

from mmtbps.engine import EpochSeedHook
from mmtbps.engine.hooks import epoch_seed
from mmtbps.registry import METRICS


class Epochs:
    """A data set that notes which epoch it is told."""

    def __init__(self):
        self.told = []

    def set_epoch(self, epoch, seed):
        self.told.append((epoch, seed))


def make_runner(seed, epoch=0, sampler=()):
    """What EpochSeedHook sees of a Runner whose data loader was built with the seed 3."""
    config = Config(dict(train_dataloader=dict(sampler=dict(sampler, type='DefaultSampler'))))
    loader = SimpleNamespace(dataset=Epochs(), sampler=SimpleNamespace(seed=dict(sampler).get('seed', 3)))
    return SimpleNamespace(cfg=config, train_dataloader=loader, train_loop=None, seed=seed, epoch=epoch)


def test_numbers_are_a_function_of_seed_epoch_and_rank(monkeypatch):
    def draw(seed, epoch, rank):
        monkeypatch.setattr(epoch_seed, 'get_rank', lambda: rank)
        runner = make_runner(seed, epoch)
        EpochSeedHook().before_train_epoch(runner)
        assert runner.train_dataloader.dataset.told == [(epoch, seed)]
        return tuple(torch.rand(4).tolist())

    keys = [(seed, epoch, rank) for seed in range(2) for epoch in range(2) for rank in range(2)]
    drawn = [draw(*key) for key in keys]
    assert len(set(drawn)) == len(keys)
    assert [draw(*key) for key in keys] == drawn


def test_the_sampler_takes_over_the_seed_of_a_resumed_run():
    runner = make_runner(seed=5)
    EpochSeedHook().before_train(runner)
    assert runner.train_dataloader.sampler.seed == 5


@pytest.mark.parametrize('given', [7, 3])
def test_a_seed_that_the_config_gave_the_sampler_stays(given):
    runner = make_runner(seed=5, sampler=dict(seed=given))
    EpochSeedHook().before_train(runner)
    assert runner.train_dataloader.sampler.seed == given


def test_processes_with_seeds_of_their_own_share_one_plan(monkeypatch):
    """``randomness=dict(diff_rank_seed=True)`` gives rank 1 the seed 4, but its sampler needs that of rank 0."""
    monkeypatch.setattr(epoch_seed, 'broadcast_object_list', lambda values: values.__setitem__(0, 3))
    runner = make_runner(seed=4)
    EpochSeedHook().before_train(runner)
    assert runner.train_dataloader.sampler.seed == 3


def test_a_sampler_without_seed_is_left_alone_and_a_data_set_without_epochs_told():
    runner = make_runner(seed=5)
    runner.train_dataloader = SimpleNamespace(dataset=[1], sampler=SimpleNamespace())
    told = []
    runner.logger = SimpleNamespace(warning=told.append)
    EpochSeedHook().before_train(runner)
    assert vars(runner.train_dataloader.sampler) == {}
    for runner.epoch in range(2):
        EpochSeedHook().before_train_epoch(runner)
    assert len(told) == 1
    assert 'list has no set_epoch(epoch, seed)' in told[0]


class OneWeight(BaseModel):
    """The least that a Runner trains."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, number, mode):
        return dict(loss=self.weight**2) if mode == 'loss' else [dict()]


@METRICS.register_module()
class RisingScore(BaseMetric):
    """A score that grows with every test, so that each epoch is the best so far."""

    default_prefix = 'val'
    tests = 0

    def process(self, data_batch, data_samples):
        self.results.append(None)

    def compute_metrics(self, results):
        RisingScore.tests += 1
        return {'score': float(self.tests)}


class ValidatedEpochs(Hook):
    """Notes the epochs that are validated."""

    def __init__(self):
        self.epochs = []

    def before_val_epoch(self, runner):
        self.epochs.append(runner.epoch)


def validated_epochs(folder, max_epochs, validate=True, resume=False, **train_cfg):
    """Train up to an epoch; returns the epochs that were validated."""
    loader = dict(dataset=[0, 1], batch_size=1, sampler=dict(type='DefaultSampler', shuffle=False))
    validation = dict(val_dataloader=loader, val_cfg=dict(), val_evaluator=dict(type='RisingScore'))
    noted = ValidatedEpochs()
    Runner(
        model=OneWeight(),
        work_dir=str(folder),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=max_epochs, **train_cfg),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1e-3)),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', save_best='val/score' if validate else None, rule='greater')
        ),
        custom_hooks=[dict(type='ScoreResumedEpochHook'), noted],
        resume=resume,
        default_scope='mmtbps',
        experiment_name=f'{folder.name}-{max_epochs}-{validate}',
        **(validation if validate else {}),
    ).train()
    return noted.epochs


@pytest.mark.parametrize(
    ('scored', 'train_cfg', 'expected'),
    [
        (False, dict(), [1, 2, 3]),
        (True, dict(), [2, 3]),
        (False, dict(val_begin=2), [2, 3]),
        (False, dict(val_interval=2), [2, 3]),
    ],
    ids=['not scored', 'scored', 'before val_begin', 'between two validations'],
)
def test_an_epoch_that_was_not_scored_is_validated_first(tmp_path, scored, train_cfg, expected):
    assert validated_epochs(tmp_path, 1, validate=scored) == ([1] if scored else [])
    assert validated_epochs(tmp_path, 3, resume=True, **train_cfg) == expected


def test_the_last_epoch_is_always_due(tmp_path):
    validated_epochs(tmp_path, 3, validate=False)
    assert validated_epochs(tmp_path, 3, resume=True, val_interval=2) == [3]
