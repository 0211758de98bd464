"""A loop of iterations sees the data as a loop of epochs does."""

import itertools
import os
from collections import defaultdict

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner

from mmtbps.datasets import PersonCaptions

ITEMS, BATCH = 12, 4
LENGTH = ITEMS // BATCH


class Noting(BaseModel):
    """Notes what it is shown; its dropout draws from the generators of the process."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))
        self.seen = []

    def forward(self, inputs, data_samples=None, mode='loss'):
        numbers = torch.stack(list(inputs)).reshape(-1, 1)
        if mode == 'loss':
            self.seen.append(list(zip(data_samples, numbers.flatten().tolist(), strict=True)))
            return dict(loss=self.layers(numbers).square().mean())
        return [dict() for _ in numbers]


class Stop(Hook):
    def __init__(self, after):
        self.after = after

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.after:
            raise KeyboardInterrupt


LOADED = []


def draw_number(results):
    LOADED.append(results['caption'])
    return dict(inputs=torch.rand(()), data_samples=results['caption'])


@pytest.fixture
def dataset(tmp_path):
    lines = ['image,caption,person_id,split', *(f'{i}.png,caption {i},{i // 2},train' for i in range(ITEMS))]
    (tmp_path / 'table.csv').write_text('\n'.join(lines))
    return lambda: PersonCaptions(
        'table.csv', data_root=str(tmp_path), check_images=False, pipeline=[draw_number]
    )  # fmt: skip


def run(folder, dataset, train_cfg, sampler='DefaultSampler', workers=0, stop=None, resume=None):
    by_epoch = train_cfg['by_epoch']
    torch.manual_seed(0)
    runner = Runner(
        model=Noting(),
        work_dir=str(folder),
        train_dataloader=dict(
            batch_size=BATCH, dataset=dataset, sampler=dict(type=sampler, shuffle=True), num_workers=workers,
            persistent_workers=workers > 0, collate_fn=dict(type='pseudo_collate'),
        ),
        train_cfg=train_cfg,
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.01)),
        default_hooks=dict(
            logger=None,
            checkpoint=dict(type='mmtbps.CheckpointHook', interval=1, by_epoch=by_epoch, max_keep_ckpts=30),
            epoch_seed=dict(type='mmtbps.EpochSeedHook'),
            exact_resume=dict(type='mmtbps.ExactResumeHook'),
        ),
        randomness=dict(seed=7),
        load_from=resume,
        resume=resume is not None,
        default_scope='mmtbps',
        experiment_name=os.urandom(6).hex(),
    )  # fmt: skip
    runner.register_hook(Stop(stop))
    try:
        runner.train()
    except KeyboardInterrupt:
        assert stop is not None
    return runner.model


@pytest.mark.parametrize('workers', [0, 2])
def test_passes_are_epochs(tmp_path, dataset, workers):
    epochs = run(tmp_path / 'epochs', dataset(), dict(by_epoch=True, max_epochs=3), workers=workers)
    passes = run(tmp_path / 'passes', dataset(), dict(by_epoch=False, max_iters=3 * LENGTH), workers=workers)
    assert passes.seen == epochs.seen
    torch.testing.assert_close(passes.state_dict(), epochs.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ('sampler', 'workers'), [('DefaultSampler', 0), ('InfiniteSampler', 0), ('InfiniteSampler', 2)]
)
def test_each_showing_is_augmented_anew(tmp_path, dataset, sampler, workers):
    shown = run(tmp_path, dataset(), dict(by_epoch=False, max_iters=4 * LENGTH), sampler, workers).seen
    numbers = defaultdict(set)
    for caption, number in itertools.chain.from_iterable(shown):
        numbers[caption].add(number)
    assert {len(drawn) for drawn in numbers.values()} == {4}
    assert len(numbers) == ITEMS


class Foreign(torch.utils.data.Dataset):
    """A data set that knows of no showings."""

    def __len__(self):
        return ITEMS

    def __getitem__(self, index):
        return dict(inputs=torch.tensor(range(ITEMS)[index]) / ITEMS, data_samples=index)


def test_other_data_sets_take_part(tmp_path):
    seen = run(tmp_path, Foreign(), dict(by_epoch=False, max_iters=2 * LENGTH), 'InfiniteSampler').seen
    assert sorted(item for batch in seen for item, _ in batch) == sorted(2 * list(range(ITEMS)))


@pytest.mark.parametrize('sampler', ['DefaultSampler', 'InfiniteSampler'])
@pytest.mark.parametrize('stop', [1, LENGTH, LENGTH + 1, 2 * LENGTH + 2])
def test_resumed_equals_uninterrupted(tmp_path, dataset, sampler, stop):
    loop = dict(by_epoch=False, max_iters=3 * LENGTH)
    whole = run(tmp_path / 'whole', dataset(), loop, sampler)
    run(tmp_path / 'cut', dataset(), loop, sampler, stop=stop + 1)
    LOADED.clear()
    rest = run(tmp_path / 'cut', dataset(), loop, sampler, resume=str(tmp_path / f'cut/iter_{stop}.pth'))
    again = 0 if sampler == 'InfiniteSampler' else stop % LENGTH
    assert len(LOADED) == (3 * LENGTH - stop + again) * BATCH, 'whole passes are not loaded again'
    assert rest.seen == whole.seen[stop:]
    torch.testing.assert_close(rest.state_dict(), whole.state_dict(), rtol=0, atol=0)
