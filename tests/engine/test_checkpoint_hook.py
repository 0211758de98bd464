"""Checkpoints as transactions: at every moment there is one to resume from."""

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.fileio import LocalBackend
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

import mmtbps.core.files
from mmtbps.core.checkpoint import load_checkpoint_file, newest_good
from mmtbps.engine import CheckpointHook
from mmtbps.engine.resuming import find_resumable, load_files_safely
from mmtbps.registry import METRICS, MODELS

SCORES = [1.0, 3.0, 2.0, 4.0]


@MODELS.register_module()
class OneWeight(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        value = (self.weight * torch.stack(list(inputs)).mean(0)).sum()
        return dict(loss=value) if mode == 'loss' else [value]


@METRICS.register_module()
class Planned(BaseMetric):
    """Scores that were decided beforehand, one an epoch."""

    default_prefix = 'planned'

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return dict(score=SCORES[int(os.environ['EPOCHS_DONE']) % len(SCORES)])


class Items(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return dict(inputs=torch.full((3,), float(index)), data_samples=index)


def build(work_dir, monkeypatch, epochs=4, load_from=None, **hook):
    monkeypatch.setenv('EPOCHS_DONE', '0')
    loader = dict(batch_size=2, dataset=Items(), sampler=dict(type='DefaultSampler', shuffle=False))
    settings = dict(interval=1, max_keep_ckpts=1, save_best='planned/score', rule='greater') | hook
    runner = Runner(
        model=dict(type='mmtbps.OneWeight'),
        work_dir=str(work_dir),
        train_dataloader=loader,
        val_dataloader=loader,
        val_evaluator=dict(type='mmtbps.Planned'),
        val_cfg={},
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(checkpoint=dict(type='mmtbps.CheckpointHook', **settings)),
        load_from=load_from,
        resume=load_from is not None,
        experiment_name=f'{Path(work_dir).name}_{os.urandom(4).hex()}',
        default_scope='mmtbps',
    )
    validate = runner.val_loop.run
    monkeypatch.setattr(
        runner.val_loop, 'run', lambda: (monkeypatch.setenv('EPOCHS_DONE', str(runner.epoch - 1)), validate())[1]
    )
    return runner


def names(folder):
    return sorted(path.name for path in Path(folder).glob('*.pth'))


def test_the_name_in_configs_means_the_safe_hook(tmp_path, monkeypatch):
    runner = build(tmp_path, monkeypatch)
    assert [type(hook) for hook in runner.hooks if 'CheckpointHook' in type(hook).__name__] == [CheckpointHook]


@pytest.mark.parametrize(('latest', 'rule', 'best'), [(False, 'greater', 2), (True, 'greater', 4), (True, 'less', 3)])
def test_the_latest_of_equally_good_epochs_counts_on_request(tmp_path, monkeypatch, latest, rule, best):
    monkeypatch.setattr(sys.modules[__name__], 'SCORES', [1.0, 3.0, 1.0, 3.0])
    build(tmp_path, monkeypatch, latest_of_equals=latest, rule=rule).train()
    assert names(tmp_path) == [f'best_planned_score_epoch_{best}.pth', 'epoch_4.pth']


@pytest.mark.parametrize('kept', [1, 2])
def test_nothing_goes_before_its_successor_is_there(tmp_path, monkeypatch, kept):
    removed, present = [], []
    remove, replace = LocalBackend.remove, os.replace

    def watched_remove(self, path):
        good = newest_good(Path(path).parent.glob('*.pth'), resumable=True)
        assert good is not None
        assert good.name != Path(path).name
        if Path(path).name.startswith('best'):
            assert len(list(Path(path).parent.glob('best_*'))) == 2
        assert (tmp_path / 'last_checkpoint').read_text() == str(good)
        removed.append(Path(path).name)
        remove(self, path)

    def watched_replace(source, target):
        if str(target).endswith('.pth') and list(tmp_path.glob('epoch_*.pth')):
            present.append(newest_good(tmp_path.glob('*.pth'), resumable=True))
        replace(source, target)

    monkeypatch.setattr(LocalBackend, 'remove', watched_remove)
    monkeypatch.setattr(mmtbps.core.files.os, 'replace', watched_replace)
    build(tmp_path, monkeypatch, max_keep_ckpts=kept).train()

    assert all(present)
    outdated = [f'epoch_{n}.pth' for n in range(1, 5 - kept)]
    assert sorted(removed) == ['best_planned_score_epoch_1.pth', 'best_planned_score_epoch_2.pth', *outdated]
    assert names(tmp_path) == ['best_planned_score_epoch_4.pth', *(f'epoch_{n}.pth' for n in range(5 - kept, 5))]


@pytest.mark.parametrize('moment', range(2, 10))
def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path, monkeypatch, moment):
    fsync, count = os.fsync, iter(range(1000))

    def full(descriptor):
        if stat.S_ISREG(os.fstat(descriptor).st_mode) and next(count) == moment:
            raise OSError(28, 'No space left on device')
        fsync(descriptor)

    monkeypatch.setattr(mmtbps.core.files.os, 'fsync', full)
    runner = build(tmp_path, monkeypatch)
    with pytest.raises(OSError, match='No space left'):
        runner.train()
    found, _ = find_resumable(tmp_path)
    assert found is not None
    assert not list(tmp_path.glob('.*.unfinished'))


def test_leftovers_of_a_killed_write_are_removed_at_the_next_start(tmp_path, monkeypatch):
    (tmp_path / '.epoch_1.pth.abc.unfinished').write_bytes(b'half')
    build(tmp_path, monkeypatch, epochs=1).train()
    assert not list(tmp_path.glob('.*.unfinished'))


def test_another_folder_s_files_stay(tmp_path, monkeypatch):
    build(tmp_path / 'a', monkeypatch, epochs=2).train()
    before = names(tmp_path / 'a')
    build(tmp_path / 'b', monkeypatch, load_from=str(tmp_path / 'a/epoch_2.pth')).train()

    assert names(tmp_path / 'a') == before == ['best_planned_score_epoch_2.pth', 'epoch_2.pth']
    assert names(tmp_path / 'b') == ['best_planned_score_epoch_4.pth', 'epoch_4.pth']


@pytest.mark.parametrize(
    'pointer', [None, b'', b'\xff\xfe', b'/nowhere/epoch_9.pth', b'epoch_1.pth', 'of a folder that was moved']
)
def test_the_pointer_is_a_hint(tmp_path, monkeypatch, pointer):
    build(tmp_path, monkeypatch, epochs=3, max_keep_ckpts=3).train()
    if isinstance(pointer, bytes):
        (tmp_path / 'last_checkpoint').write_bytes(pointer)
    elif pointer is None:
        (tmp_path / 'last_checkpoint').unlink()
    else:
        tmp_path = tmp_path.rename(tmp_path.with_name('moved'))
    found, note = find_resumable(tmp_path)

    assert found == tmp_path / 'epoch_3.pth'
    assert bool(note) == (isinstance(pointer, bytes))


@pytest.mark.parametrize('damage', ['cut', 'empty', 'flipped', 'text'])
def test_the_newest_whole_checkpoint_is_taken_and_named(tmp_path, monkeypatch, damage):
    build(tmp_path, monkeypatch, epochs=3, max_keep_ckpts=3).train()
    path = tmp_path / 'epoch_3.pth'
    content = bytearray(path.read_bytes())
    content[content.index(torch.load(path, weights_only=True)['state_dict']['weight'].numpy().tobytes()) + 1] ^= 4
    path.write_bytes({'cut': content[:-100], 'empty': b'', 'flipped': content, 'text': b'not a checkpoint'}[damage])
    found, note = find_resumable(tmp_path)

    assert found.name == 'epoch_2.pth'
    assert note.endswith('but the newest whole checkpoint is epoch_2.pth.')
    load_files_safely()
    for load in (load_checkpoint_file, lambda file: build(tmp_path / 'b', monkeypatch, load_from=str(file)).train()):
        with pytest.raises(ValueError, match=r'epoch_3\.pth cannot be read .* take .*epoch_2\.pth, which is whole'):
            load(path)


def test_weights_alone_cannot_be_resumed_from(tmp_path, monkeypatch):
    build(tmp_path, monkeypatch, epochs=1).train()
    (tmp_path / 'epoch_1.pth').unlink()
    found, note = find_resumable(tmp_path)

    assert found is None
    assert 'It has best_planned_score_epoch_1.pth, which hold weights alone' in note
    assert find_resumable(tmp_path / 'nothing')[0] is None


def test_what_a_kill_left_between_a_write_and_a_removal_goes_at_the_next_start(tmp_path, monkeypatch):
    build(tmp_path / 'a', monkeypatch, epochs=2, max_keep_ckpts=9).train()
    build(tmp_path / 'a', monkeypatch, epochs=3, load_from=str(tmp_path / 'a/epoch_2.pth')).train()
    for name in ('epoch_1.pth', 'best_planned_score_epoch_1.pth', 'mine.pth'):
        (tmp_path / 'a' / name).write_bytes((tmp_path / 'a/epoch_3.pth').read_bytes())
    build(tmp_path / 'a', monkeypatch, epochs=4, load_from=str(tmp_path / 'a/epoch_3.pth')).train()

    assert names(tmp_path / 'a') == ['best_planned_score_epoch_4.pth', 'epoch_4.pth', 'mine.pth']


def test_the_branch_that_was_trained_last_goes_on(tmp_path, monkeypatch):
    build(tmp_path, monkeypatch, epochs=4, max_keep_ckpts=9).train()
    for path in tmp_path.glob('epoch_*.pth'):
        stored = torch.load(path, weights_only=True)
        stored['meta']['time'] = '20200101_000000'
        torch.save(stored, path)
    build(tmp_path, monkeypatch, epochs=3, load_from=str(tmp_path / 'epoch_2.pth'), max_keep_ckpts=9).train()
    assert find_resumable(tmp_path)[0].name == 'epoch_3.pth'
    assert (tmp_path / 'epoch_4.pth').exists()


def test_checkpoints_in_another_folder_are_found_by_the_pointer(tmp_path, monkeypatch):
    build(tmp_path / 'run', monkeypatch, epochs=2, out_dir=str(tmp_path / 'out')).train()
    found, note = find_resumable(tmp_path / 'run')
    assert (found, note) == (tmp_path / 'out/run/epoch_2.pth', '')


def test_a_copied_run_goes_on_from_its_own_checkpoints(tmp_path, monkeypatch):
    build(tmp_path / 'a', monkeypatch, epochs=2).train()
    shutil.copytree(tmp_path / 'a', tmp_path / 'b')
    build(tmp_path / 'a', monkeypatch, epochs=4, load_from=str(tmp_path / 'a/epoch_2.pth')).train()
    (tmp_path / 'b/last_checkpoint').write_text(str(tmp_path / 'a/epoch_4.pth'))
    found, note = find_resumable(tmp_path / 'b')
    assert found == tmp_path / 'b/epoch_2.pth'
    assert note.endswith('but the newest whole checkpoint is epoch_2.pth.')

    found.unlink()
    found, note = find_resumable(tmp_path / 'b')
    assert found is None
    assert f'of another run, from which --resume {tmp_path}/a/epoch_4.pth goes on here' in note


def test_checkpoints_that_were_all_to_stay_do(tmp_path, monkeypatch):
    build(tmp_path, monkeypatch, epochs=2, max_keep_ckpts=-1).train()
    build(tmp_path, monkeypatch, epochs=3, max_keep_ckpts=1, load_from=str(tmp_path / 'epoch_2.pth')).train()
    assert {'epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth'} <= set(names(tmp_path))
