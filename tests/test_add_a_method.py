"""The page on adding a method: its files, trained on a few persons."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from stand_ins import small_run, write_persons

from mmtbps.apis import train
from mmtbps.core.checkpoint import load_checkpoint_file

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / 'docs/how_to/add_a_method.md').read_text(encoding='utf-8')
BLOCK = re.compile(r'<!-- (file|command): (\S+) -->\n```\w+\n(.*?)```', re.DOTALL)
FILES = {name: content for kind, name, content in BLOCK.findall(PAGE) if kind == 'file'}
SMALL = {
    'image_stream.backbone': dict(
        type='CLIPViT', arch=dict(embed_dim=16, layers=1, width=32, head_width=16, patch_size=32), _delete_=True
    ),
    'text_stream.backbone': dict(
        type='CLIPTextTransformer', arch=dict(embed_dim=16, layers=1, width=16, heads=2), _delete_=True
    ),
    'heads.words.in_channels': 16,
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, encoding='utf-8')
    write_persons(tmp_path / 'data/cuhk_pedes', 'CUHKPEDES', ['A man walks in blue with a red bag and white shoes.'])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures('unformatted_configs')
def test_the_method_trains_and_is_tested(project):
    cfg = Config.fromfile('method.py')
    cfg.merge_from_dict({f'model.{key}': value for key, value in SMALL.items()})
    cfg.merge_from_dict(small_run(project / 'data/cuhk_pedes'))
    cfg.merge_from_dict({'optim_wrapper.optimizer.lr': 1e-3, 'train_dataloader.dataset.pipeline.3.probability': 0.5})
    cfg.work_dir, cfg.experiment_name = str(project / 'run'), 'method'

    assert train(cfg).keys() >= {'t2i/R@1', 'i2t/mAP'}
    scalars = next((project / 'run').glob('*/vis_data/scalars.json')).read_text()
    for name in ('sdm.loss', 'hardest.loss', 'words.loss'):
        assert f'"{name}"' in scalars
    weights = load_checkpoint_file(project / 'run/epoch_1.pth')['state_dict']
    assert torch.isfinite(weights['heads.words.classifier.weight']).all()


def test_the_files_are_those_of_the_page():
    assert set(FILES) == {'atelier/__init__.py', 'atelier/heads.py', 'atelier/transforms.py', 'method.py'}
    assert 'mmtbps train method.py' in PAGE
