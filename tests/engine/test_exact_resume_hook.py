"""A run that was interrupted in the middle of an epoch goes on as if nothing had happened, or is refused."""

import os

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from mmtbps.core.checkpoint import load_checkpoint_file
from mmtbps.registry import MODELS

ITEMS, BATCH, EPOCHS = 12, 2, 3


@MODELS.register_module()
class Dropping(BaseModel):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.BatchNorm1d(4), nn.Linear(4, 1))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return dict(loss=self.layers(torch.stack(list(inputs))).square().mean())


class Items(torch.utils.data.Dataset):
    def __len__(self):
        return ITEMS

    def __getitem__(self, index):
        return dict(inputs=torch.randn(4, generator=torch.Generator().manual_seed(index)), data_samples=index)


class SeedEpoch(Hook):
    """What EpochSeedHook does for data sets of ours."""

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner):
        torch.manual_seed(100 + runner.epoch)


class Kill(Hook):
    priority = 'LOWEST'

    def __init__(self, after):
        self.after, self.seen = after, 0

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.seen += 1
        if runner.iter + 1 == self.after:
            raise KeyboardInterrupt


def run(work_dir, resume=None, kill=None, interval=4, counts=1, by_epoch=False, **change):
    settings = dict(
        model=dict(type='mmtbps.Dropping'),
        work_dir=str(work_dir),
        train_dataloader=dict(batch_size=BATCH, dataset=Items(), sampler=dict(type='DefaultSampler', shuffle=True)),
        train_cfg=dict(by_epoch=True, max_epochs=change.get('epochs', EPOCHS)),
        optim_wrapper=dict(
            optimizer=dict(type=change.get('optimizer', 'Adam'), lr=change.get('lr', 0.01)), accumulative_counts=counts
        ),
        param_scheduler=[
            dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=9),
            dict(type='MultiStepLR', milestones=[1, change.get('milestone', 2)], gamma=0.1),
        ],
        default_hooks=dict(
            checkpoint=dict(type='mmtbps.CheckpointHook', interval=interval, by_epoch=by_epoch, max_keep_ckpts=9),
            exact_resume=dict(type='mmtbps.ExactResumeHook'),
        ),
        custom_hooks=[SeedEpoch()],
        randomness=dict(seed=change.get('seed', 0)),
        load_from=None if resume is None else str(resume),
        resume=resume is not None,
        experiment_name=os.urandom(6).hex(),
        default_scope='mmtbps',
    )
    told = Config({key: settings[key] for key in ('optim_wrapper', 'param_scheduler', 'randomness')})
    runner = Runner(**settings, cfg=told)
    watch = Kill(kill)
    runner.register_hook(watch)
    try:
        runner.train()
    except KeyboardInterrupt:
        assert kill is not None
    return runner, watch.seen


def state(folder, number=16):
    stored = load_checkpoint_file(folder / f'iter_{number}.pth')
    return {key: stored[key] for key in ('state_dict', 'optimizer')}


@pytest.mark.parametrize('kill', [4, 5, 6, 7, 8, 11, 12, 13, 16, 17, 18])
def test_interrupted_equals_uninterrupted(tmp_path, kill):
    whole, seen = run(tmp_path / 'whole')
    assert seen == EPOCHS * ITEMS // BATCH == 18
    run(tmp_path / 'cut', kill=kill)
    last = kill // 4 * 4
    resumed, seen = run(tmp_path / 'cut', resume=tmp_path / f'cut/iter_{last}.pth')

    assert seen == 18 - last
    assert resumed.iter == whole.iter == 18
    torch.testing.assert_close(resumed.model.state_dict(), whole.model.state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(state(tmp_path / 'cut'), state(tmp_path / 'whole'), rtol=0, atol=0)


def test_the_end_of_an_epoch_and_of_the_run(tmp_path):
    whole, _ = run(tmp_path / 'whole', interval=6)
    run(tmp_path / 'cut', interval=6, kill=12)
    resumed, seen = run(tmp_path / 'cut', interval=6, resume=tmp_path / 'cut/iter_12.pth')
    assert (seen, resumed.epoch) == (6, 3)
    torch.testing.assert_close(resumed.model.state_dict(), whole.model.state_dict(), rtol=0, atol=0)

    again, seen = run(tmp_path / 'whole', interval=6, resume=tmp_path / 'whole/iter_18.pth')
    assert (seen, again.iter) == (0, 18)


@pytest.mark.parametrize(
    ('change', 'told'),
    [
        (dict(lr=0.5), r'optim_wrapper\.optimizer\.lr is 0\.5 \(was 0\.01\)\. Its state'),
        (dict(optimizer='SGD'), r'optim_wrapper\.optimizer\.type is "SGD" \(was "Adam"\)'),
        (dict(seed=7), r'randomness\.seed is 7 \(was 0\)'),
        (dict(counts=3), r'accumulative_counts is 3 \(was 1\)'),
        (dict(milestone=3), r'param_scheduler\.1\.milestones\.1 is 3 \(was 2\)'),
    ],
)
def test_settings_over_which_the_state_would_prevail_are_refused(tmp_path, change, told):
    run(tmp_path, interval=1, by_epoch=True, kill=8)
    with pytest.raises(ValueError, match=told):
        run(tmp_path, resume=tmp_path / 'epoch_1.pth', **change)
    _, seen = run(tmp_path, resume=tmp_path / 'epoch_1.pth', epochs=4)  # longer is no other run
    assert seen == 18


def test_pending_gradients_are_refused(tmp_path):
    run(tmp_path, interval=1, by_epoch=True, counts=4, kill=8)
    with pytest.raises(ValueError, match=r'iteration 6 was written between two steps .* every 4 iterations'):
        run(tmp_path, counts=4, resume=tmp_path / 'epoch_1.pth')
    run(tmp_path / 'even', interval=1, by_epoch=True, counts=3, kill=8)
    _, seen = run(tmp_path / 'even', interval=1, by_epoch=True, counts=3, resume=tmp_path / 'even/epoch_1.pth')
    assert seen == 12


def test_another_number_of_iterations_an_epoch_is_refused(tmp_path, monkeypatch):
    run(tmp_path, interval=1, by_epoch=True)
    monkeypatch.setattr('test_exact_resume_hook.ITEMS', 6)
    with pytest.raises(ValueError, match=r'iteration 12 in epoch 3, which with 3 iterations an epoch is no place'):
        run(tmp_path, resume=tmp_path / 'epoch_2.pth')
