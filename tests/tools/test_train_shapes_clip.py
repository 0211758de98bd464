import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

import mmtbps
from mmtbps.models import CLIPPretrainedInit, CLIPResNet, CLIPTextTransformer

TOOLS = Path(mmtbps.__file__).parents[1] / 'tools' / 'analysis_tools'
TEXT = dict(embed_dim=128, layers=2, width=128, heads=4, context_length=32)


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module('train_shapes_clip')


def test_captions_tell_what_is_drawn(tool):
    image, caption = tool.sample_pair(np.random.default_rng(4))
    assert image.shape == (64, 64, 3)
    assert sum(caption.split().count(color) for color in tool.COLORS) == 2
    assert sum(caption.split().count(shape) for shape in tool.SHAPES) == 2
    canvas = np.zeros((64, 64, 3), np.uint8)
    tool.draw_shape(canvas, 'circle', 'plain', 'red', (20, 30), 9)
    assert tuple(canvas[30, 20]) == tool.COLORS['red']
    assert not canvas[50:].any()
    assert abs((canvas[..., 0] > 0).sum() - np.pi * 9**2) < 30


def test_a_few_steps_learn_and_the_towers_load(tool, tmp_path, capsys):
    torch.manual_seed(0)
    model, rng = tool.build_model(), np.random.default_rng(0)
    tool.train(model, steps=1, batch_size=16, lr=1e-3, rng=rng)
    tool.main([str(tmp_path), '--steps', '2', '--batch-size', '8'])
    assert 'find their image among 256' in capsys.readouterr().out
    weights = str(tmp_path / 'open_clip_model.safetensors')
    text = CLIPTextTransformer(TEXT, context_length=64)
    CLIPPretrainedInit(weights)(text)
    assert not text.quick_gelu
    image = CLIPResNet(layers=(1, 1, 1, 1), width=8, input_size=(96, 32), pool=None)
    CLIPPretrainedInit(weights, ignore=['attnpool.*'])(image)
    assert image(torch.rand(2, 3, 96, 32)).shape == (2, 256, 6, 2)
