"""Short runs on a ToyPEDES of a few identities."""

import itertools
from functools import partial
from pathlib import Path

import pytest
from mmengine.config import Config

import mmtbps
from mmtbps.apis import train
from mmtbps.apis.options import apply_train_options
from mmtbps.datasets.toy_pedes import draw_toy_pedes

CONFIG = Path(mmtbps.__file__).parents[1] / 'configs/dual_stream/dual-stream_tiny_toypedes.py'
DRAWING = dict(num_train_ids=8, num_val_ids=3, num_test_ids=3)
number = itertools.count()


@pytest.fixture(scope='session')
def data_root(tmp_path_factory):
    return draw_toy_pedes(tmp_path_factory.mktemp('data') / 'toypedes', **DRAWING)


@pytest.fixture(scope='session')
def make_config(data_root):
    """Make the config of a short run; runs of one process need names of their own."""

    def make(folder, epochs=1, **options):
        cfg = Config.fromfile(CONFIG)
        for name in ('train', 'val', 'test'):
            loader = cfg[f'{name}_dataloader']
            loader.update(num_workers=0, persistent_workers=False)
            loader.dataset.update(data_root=str(data_root), drawing=DRAWING)
        cfg.train_dataloader.batch_size = cfg.train_dataloader.sampler.batch_size = 8
        cfg.train_cfg.max_epochs = epochs
        cfg.work_dir = str(folder / 'run')
        cfg.experiment_name = f'test_runs_{next(number)}'
        return apply_train_options(cfg, **options)

    return make


@pytest.fixture
def config(make_config, tmp_path):
    return partial(make_config, tmp_path)


@pytest.fixture(scope='session')
def checkpoint(make_config, tmp_path_factory):
    cfg = make_config(tmp_path_factory.mktemp('trained'))
    cfg.test_cfg = cfg.test_dataloader = cfg.test_evaluator = None
    assert train(cfg) == {}
    return str(Path(cfg.work_dir) / 'epoch_1.pth')
