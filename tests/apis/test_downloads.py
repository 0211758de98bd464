"""Weights that cannot be downloaded, on a machine whose every download is refused."""

from urllib.error import URLError

import pytest
from mmengine.config import Config
from mmpretrain.registry import MODELS

from mmtbps.apis.downloads import explained_downloads

NOWHERE = 'http://127.0.0.1:9/resnet50-weights.pth'


def test_says_which_setting_and_what_to_do():
    backbone = dict(type='ResNet', depth=18, init_cfg=dict(type='Pretrained', checkpoint=NOWHERE))
    cfg = Config(dict(model=dict(image_stream=dict(backbone=backbone))))
    with pytest.raises(FileNotFoundError) as caught, explained_downloads(cfg):
        MODELS.build(backbone).init_weights()
    message = str(caught.value)
    assert f"model.image_stream.backbone.init_cfg.checkpoint='{NOWHERE}'" in message
    assert '--cfg-options model.image_stream.backbone.init_cfg.checkpoint=FILE' in message
    assert 'checkpoints' in message
    assert isinstance(caught.value.__cause__, URLError)


def test_leaves_other_faults_alone():
    with pytest.raises(URLError), explained_downloads(Config(dict(model=dict(type='Own')))):
        raise URLError('not of the weights')
