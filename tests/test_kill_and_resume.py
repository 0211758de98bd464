"""Trainings that are killed at random moments and resumed equal an uninterrupted one, bit by bit.

``MMTBPS_KILL_PLANS`` sets how many plans are carried out; the default is small, so that the suite stays short.
"""

import itertools
import json
import multiprocessing
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmtbps.apis import train
from mmtbps.apis.options import apply_train_options
from mmtbps.core.checkpoint import load_checkpoint_file
from mmtbps.datasets.toy_pedes import draw_toy_pedes

ROOT = Path(__file__).parents[1]
PLANS = int(os.environ.get('MMTBPS_KILL_PLANS', '5'))
DRAWING = dict(num_train_ids=16, num_val_ids=3, num_test_ids=3, images_per_id=2, seed=3)
KINDS = {
    'baseline': dict(config='dual_stream/dual-stream_tiny_toypedes.py', workers=0),
    'cm-moco, workers': dict(config='cm_moco/cm-moco_tiny_toypedes.py', workers=2),
    'cm-moco, bf16': dict(config='cm_moco/cm-moco_tiny_toypedes.py', workers=0, amp=True),
    'cm-moco, saved within epochs': dict(config='cm_moco/cm-moco_tiny_toypedes.py', workers=0, iterations=3),
    'rde, saved within epochs': dict(config='rde/rde_tiny_toypedes.py', workers=0, iterations=3),
}
CALLS = ('fsync', 'replace', 'remove')
FORK = multiprocessing.get_context('fork')


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    return draw_toy_pedes(tmp_path_factory.mktemp('data') / 'toypedes', **DRAWING)


def make_config(kind, data_root, work_dir, resume):
    settings = KINDS[kind]
    cfg = Config.fromfile(ROOT / 'configs' / settings['config'])
    for name in ('train', 'val', 'test'):
        loader = cfg[f'{name}_dataloader']
        loader.dataset.update(data_root=str(data_root), drawing=DRAWING)
        workers = settings['workers'] if name == 'train' else 0
        loader.update(num_workers=workers, persistent_workers=workers > 0)
    cfg.train_dataloader.batch_size = 16
    if 'batch_size' in cfg.train_dataloader.sampler:
        cfg.train_dataloader.sampler.batch_size = 16
    cfg.train_cfg.max_epochs = 3
    cfg.work_dir = str(work_dir)
    if 'iterations' in settings:
        cfg.default_hooks.checkpoint.update(by_epoch=False, interval=settings['iterations'])
    return apply_train_options(cfg, resume='auto' if resume else None, amp=settings.get('amp', False))


def work(kind, data_root, work_dir, resume, suicide):
    """Train in a process of its own; kill it in the n-th call of a function of the file system."""
    os.setpgid(0, 0)
    torch.set_num_threads(1)
    sys.stdout = sys.stderr = open(f'{work_dir}.log', 'a', buffering=1)  # noqa: SIM115 - until the end of the process
    if suicide is not None:
        name, moment = suicide
        function, count = getattr(os, name), itertools.count()

        def deadly(*args, **kwargs):
            if next(count) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        setattr(os, name, deadly)
    try:
        metrics = train(make_config(kind, data_root, work_dir, resume))
        Path(f'{work_dir}.json').write_text(json.dumps(metrics))
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def run(kind, data_root, work_dir, resume=False, suicide=None, seconds=None):
    """Train, perhaps to the death; returns whether it came to its end."""
    process = FORK.Process(target=work, args=(kind, data_root, str(work_dir), resume, suicide))
    process.start()
    process.join(seconds)
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    return process.exitcode == 0


def result(work_dir):
    (last,) = [path for path in Path(work_dir).glob('*.pth') if not path.name.startswith('best')]
    (best,) = Path(work_dir).glob('best*.pth')
    stored = load_checkpoint_file(last)
    return dict(
        last=last.name,
        best=best.name,
        state={key: stored[key] for key in ('state_dict', 'optimizer')},
        best_state=load_checkpoint_file(best)['state_dict'],
        metrics=json.loads(Path(f'{work_dir}.json').read_text()),
    )


@pytest.fixture(scope='module')
def uninterrupted(data_root, tmp_path_factory):
    """Results and seconds of whole runs, by kind."""
    known = {}

    def get(kind):
        if kind not in known:
            folder = tmp_path_factory.mktemp('whole') / 'run'
            start = time.monotonic()
            assert run(kind, data_root, folder), Path(f'{folder}.log').read_text()[-3000:]
            known[kind] = result(folder), time.monotonic() - start
        return known[kind]

    return get


@pytest.mark.filterwarnings('ignore:This process')
@pytest.mark.parametrize('plan', range(PLANS))
def test_killed_and_resumed(plan, data_root, uninterrupted, tmp_path):
    rng = random.Random(plan)
    kind = list(KINDS)[plan % len(KINDS)]
    expected, seconds = uninterrupted(kind)
    folder = tmp_path / 'run'
    for attempt in range(3):
        if rng.random() < 0.5:
            moment = dict(suicide=(rng.choice(CALLS), rng.randrange(12)))
        else:
            moment = dict(seconds=rng.uniform(0.2, 1) * seconds)
        if run(kind, data_root, folder, resume=attempt > 0, **moment):
            break
        assert not list(folder.glob('.epoch*.pth')), 'only files of unfinished writes begin with a dot'
    else:
        assert run(kind, data_root, folder, resume=True), Path(f'{folder}.log').read_text()[-3000:]
    found = result(folder)

    assert {key: found[key] for key in ('last', 'best', 'metrics')} == {
        key: expected[key] for key in ('last', 'best', 'metrics')
    }
    for key in ('state', 'best_state'):
        torch.testing.assert_close(found[key], expected[key], rtol=0, atol=0)
    assert not list(folder.glob('.*.unfinished'))
