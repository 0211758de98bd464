"""Named views from the transforms to the batch, and Pillow's resizing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.dataset import default_collate, pseudo_collate
from PIL import Image

from mmtbps.datasets import PackTBPSInputs, ResizeFlipCrop
from mmtbps.registry import MODELS, TRANSFORMS

ODD_SIZES = st.tuples(st.integers(3, 90), st.integers(3, 90))


@settings(max_examples=20, deadline=None)
@given(ODD_SIZES, st.sampled_from(['bilinear', 'bicubic']), st.integers(0, 99))
def test_pillow_s_bytes_in_training_and_evaluation(size, interpolation, seed):
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    resample = {'bilinear': Image.Resampling.BILINEAR, 'bicubic': Image.Resampling.BICUBIC}[interpolation]
    expected = np.asarray(Image.fromarray(image).resize((12, 36), resample))
    training = dict(type='ResizeFlipCrop', size=(36, 12), flip_prob=0.0, padding=0)
    for transform in (training, dict(type='Resize', scale=(12, 36))):
        built = TRANSFORMS.build(dict(transform, backend='pillow', interpolation=interpolation))
        np.testing.assert_array_equal(built(dict(img=image.copy()))['img'], expected)


def test_a_backend_has_its_own_interpolations():
    with pytest.raises(ValueError, match=r"backend must be one of \['cv2', 'pillow'\], but got 'pil'"):
        ResizeFlipCrop(backend='pil')
    with pytest.raises(ValueError, match=r"interpolation of backend 'pillow' must be one of .*, but got 'area'"):
        ResizeFlipCrop(backend='pillow', interpolation='area')


def item_with_views(index, words):
    image = np.full((4, 6, 3), index, dtype=np.uint8)
    views = dict(
        second=dict(img=image + 100, erased=(0, 0, 1, 1)),
        masked=dict(tokens=list(range(1, words + 1)), labels=[7] * words),
    )
    return PackTBPSInputs()(dict(img=image, tokens=[[1, 2]], person_id=index, sample_idx=40 + index, views=views))


@pytest.mark.parametrize('collate', [pseudo_collate, default_collate])
def test_views_go_all_the_way_to_the_batch(collate):
    preprocessor = MODELS.build(
        dict(type='TBPSDataPreprocessor', mean=[0.0] * 3, std=[1.0] * 3, pad_id=9, erase_value=[5.0] * 3)
    )
    batch = preprocessor(collate([item_with_views(0, 3), item_with_views(1, 1)]))
    views = batch['inputs']['views']

    assert set(views) == {'second', 'masked'}
    assert views['second']['images'].shape == (2, 3, 4, 6)
    assert views['second']['images'][:, 0, 0, 0].tolist() == [5, 5]
    assert views['second']['images'][:, 0, 1, 1].tolist() == [100, 101]
    assert batch['inputs']['images'][:, 0, 0, 0].tolist() == [0, 1]
    assert views['masked']['tokens'].tolist() == [[1, 2, 3], [1, 9, 9]]
    assert views['masked']['lengths'].tolist() == [3, 1]
    assert views['masked']['labels'].tolist() == [[7, 7, 7], [7, -100, -100]]
    assert [sample.sample_idx for sample in batch['data_samples']] == [40, 41]


def test_items_of_a_batch_have_the_same_views():
    preprocessor = MODELS.build(dict(type='TBPSDataPreprocessor', mean=[0.0] * 3, std=[1.0] * 3))
    items = [item_with_views(0, 3), item_with_views(1, 2)]
    del items[1]['data_samples'].views['masked']
    with pytest.raises(ValueError, match=r"must have the same views, but got \[\['masked', 'second'\], \['second'\]\]"):
        preprocessor(pseudo_collate(items))
