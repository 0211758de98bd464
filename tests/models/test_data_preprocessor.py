import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.dataset import Compose, default_collate, pseudo_collate
from mmpretrain.structures import DataSample
from torchvision.transforms import functional

from mmtbps.datasets import PackTBPSInputs, RandomErasingBox, ResizeFlipCrop
from mmtbps.models import TBPSDataPreprocessor, pad_tokens
from mmtbps.registry import MODELS

MEAN, STD = [122.7, 116.7, 104.1], [68.5, 66.6, 70.3]


def item(tokens=((1, 2),), size=(6, 4), seed=0, **fields):
    image = np.random.default_rng(seed).integers(0, 256, (3, *size), dtype=np.uint8)
    return dict(inputs=dict(image=torch.from_numpy(image)), data_samples=DataSample(tokens=list(tokens), **fields))


def reference(image, to_rgb=True):
    """What torchvision makes of one BGR image."""
    image = image[[2, 1, 0]] if to_rgb else image
    return functional.normalize(image.float(), MEAN, STD)


@pytest.mark.parametrize('collate', [pseudo_collate, default_collate])
@pytest.mark.parametrize('to_rgb', [True, False])
@pytest.mark.parametrize('channels_last', [True, False])
def test_images_against_torchvision(collate, to_rgb, channels_last):
    items = [item(seed=seed) for seed in range(3)]
    expected = torch.stack([reference(one['inputs']['image'], to_rgb) for one in items])
    preprocessor = TBPSDataPreprocessor(MEAN, STD, to_rgb=to_rgb, channels_last=channels_last)
    images = preprocessor(collate(items), training=True)['inputs']['images']
    torch.testing.assert_close(images, expected)
    assert images.dtype == torch.float32
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    assert images.is_contiguous(memory_format=memory_format)
    assert items[0]['inputs']['image'].dtype == torch.uint8


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=6), max_size=3), min_size=1, max_size=4))
def test_captions_are_padded_one_by_one(captions):
    preprocessor = TBPSDataPreprocessor(MEAN, STD, pad_id=7)
    batch = preprocessor(pseudo_collate([item(tokens) for tokens in captions]))
    inputs = batch['inputs']
    flat = [caption for tokens in captions for caption in tokens]
    longest = max(map(len, flat), default=0)
    assert inputs['tokens'].tolist() == [caption + [7] * (longest - len(caption)) for caption in flat]
    assert inputs['tokens'].shape == (len(flat), longest)
    assert inputs['tokens'].dtype == inputs['lengths'].dtype == torch.int64
    assert inputs['lengths'].tolist() == [len(caption) for caption in flat]
    assert inputs['captions_per_image'] == [len(tokens) for tokens in captions]
    assert len(batch['data_samples']) == len(captions)


def test_erased_pixels_hold_the_value_after_normalisation():
    items = [item(erased=(1, 2, 3, 2)), item(seed=1)]
    images = TBPSDataPreprocessor(MEAN, STD)(pseudo_collate(items))['inputs']['images']
    expected = torch.stack([reference(one['inputs']['image']) for one in items])
    expected[0] = functional.erase(expected[0], 1, 2, 3, 2, torch.tensor(MEAN)[:, None, None] / 255)
    torch.testing.assert_close(images, expected)

    value = [0.5, -1.0, 2.0]
    images = TBPSDataPreprocessor(MEAN, STD, erase_value=value)(pseudo_collate(items))['inputs']['images']
    assert images[0, :, 3, 3].tolist() == value
    torch.testing.assert_close(images[1], expected[1])


def test_pipeline_to_batch():
    random.seed(0)
    pipeline = Compose([ResizeFlipCrop((24, 8), padding=2), RandomErasingBox(prob=1.0), PackTBPSInputs()])
    image = np.full((9, 5, 3), 200, np.uint8)
    batch = default_collate([pipeline(dict(img=image, tokens=[[1]], person_id=3)) for _ in range(4)])
    batch = TBPSDataPreprocessor(MEAN, STD)(batch)
    assert batch['inputs']['images'].shape == (4, 3, 24, 8)
    assert [sample.person_id for sample in batch['data_samples']] == [3] * 4
    for pixels, sample in zip(batch['inputs']['images'], batch['data_samples'], strict=True):
        filled = (pixels == torch.tensor(MEAN)[:, None, None] / 255).all(0)
        assert int(filled.sum()) == sample.erased[2] * sample.erased[3]


def test_everything_moves_to_the_device():
    preprocessor = TBPSDataPreprocessor(MEAN, STD).to('meta')
    inputs = preprocessor(pseudo_collate([item(erased=(0, 0, 1, 1))]))['inputs']
    assert {inputs[key].device.type for key in ('images', 'tokens')} == {'meta'}
    assert inputs['lengths'].device.type == 'cpu', 'asking the device for them would wait for it'


def test_built_from_a_config_and_without_state():
    preprocessor = MODELS.build(dict(type='TBPSDataPreprocessor', mean=MEAN, std=STD))
    assert preprocessor.state_dict() == {}


def test_errors_name_argument_and_remedy():
    with pytest.raises(ValueError, match='mean must be three numbers'):
        TBPSDataPreprocessor([1.0], STD)
    with pytest.raises(ValueError, match='std must be positive'):
        TBPSDataPreprocessor(MEAN, [1, 0, 1])
    with pytest.raises(ValueError, match='erase_value must be three'):
        TBPSDataPreprocessor(MEAN, STD, erase_value=[0.0])
    with pytest.raises(ValueError, match='one size'):
        TBPSDataPreprocessor(MEAN, STD)(pseudo_collate([item(), item(size=(6, 5))]))
    with pytest.raises(ValueError, match='Caption 1 of the batch has no token'):
        pad_tokens([[1], []])
