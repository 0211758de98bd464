"""The check of determinism finds nothing in a good run, and what differs first in a bad one."""

import copy
import runpy
from pathlib import Path

import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.config import Config

from mmtbps.apis.determinism import find_first_difference
from mmtbps.datasets.toy_pedes import draw_toy_pedes
from mmtbps.registry import MODELS, TRANSFORMS

ROOT = Path(__file__).parents[2]
DRAWING = dict(num_train_ids=12, num_val_ids=2, num_test_ids=2, images_per_id=2, seed=3)
COUNTS = {'pixel': 0, 'weight': 0}


@TRANSFORMS.register_module()
class ChangingPixel(BaseTransform):
    """Another image each time it is asked."""

    def transform(self, results):
        COUNTS['pixel'] += 1
        results['img'] = results['img'].copy()
        results['img'][0, 0] = COUNTS['pixel'] % 250
        return results


@MODELS.register_module()
class ChangingProjection(torch.nn.Linear):
    """Other weights each time it is built."""

    def __init__(self, in_channels, out_channels=256):
        super().__init__(in_channels, out_channels)
        COUNTS['weight'] += 1
        torch.nn.init.constant_(self.weight, 0.01 * COUNTS['weight'])


@pytest.fixture
def cfg(tmp_path):
    root = draw_toy_pedes(tmp_path / 'toy', **DRAWING)
    cfg = Config.fromfile(ROOT / 'configs/cm_moco/cm-moco_tiny_toypedes.py')
    for name in ('train', 'val', 'test'):
        loader = cfg[f'{name}_dataloader']
        loader.dataset.update(data_root=str(root), drawing=DRAWING)
        loader.update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.batch_size = cfg.train_dataloader.sampler.batch_size = 8
    return cfg


@pytest.mark.usefixtures('unformatted_configs')
def test_a_good_run_and_what_differs_in_bad_ones(cfg):
    assert find_first_difference(cfg, 3) is None

    changing = copy.deepcopy(cfg)
    changing.train_dataloader.dataset.pipeline.insert(-1, dict(type='mmtbps.ChangingPixel'))
    assert find_first_difference(changing, 2).startswith('iteration 1, inputs.image')

    cfg.model.image_projection = dict(type='mmtbps.ChangingProjection', in_channels=6 * 512)
    assert 'iteration 1, ' in find_first_difference(cfg, 2)
    assert 'loss: ' in find_first_difference(cfg, 2)


@pytest.mark.usefixtures('unformatted_configs')
def test_runs_that_are_too_short(cfg):
    with pytest.raises(ValueError, match='iterations must be at least 1'):
        find_first_difference(cfg, 0)
    cfg.train_cfg.max_epochs = 1
    with pytest.raises(ValueError, match='ends before iteration 500; ask for fewer'):
        find_first_difference(cfg, 500)


def test_the_environment(capsys):
    runpy.run_path(str(ROOT / 'tools/analysis_tools/collect_env.py'))['main']([])
    told = capsys.readouterr().out
    for name in ('mmtbps: 0.1.0', 'mmengine: ', 'Python: ', 'PyTorch: '):
        assert name in told
