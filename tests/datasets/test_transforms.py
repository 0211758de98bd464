import io
import random

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.dataset import default_collate, pseudo_collate
from PIL import Image
from torchvision.transforms import RandomErasing

from mmtbps.datasets import (
    LoadPersonImage,
    PackTBPSInputs,
    RandomErasingBox,
    ResizeFlipCrop,
    TokenizeCaption,
    WordTokenizer,
)
from mmtbps.registry import TRANSFORMS


def picture(height=20, width=9, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


# ------------------------------------------------------------------ loading


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'L', 'LA', 'P', '1'])
def test_every_png_becomes_what_pillow_converts_it_to(mode, tmp_path):
    image = Image.fromarray(picture()).convert(mode)
    path = tmp_path / 'a.png'
    image.save(path)
    results = LoadPersonImage().transform(dict(img_path=str(path)))
    assert results['img'].dtype == np.uint8
    assert results['img_shape'] == results['ori_shape'] == (20, 9)
    np.testing.assert_array_equal(results['img'][..., ::-1], np.asarray(image.convert('RGB')))


@pytest.mark.parametrize('channels', [1, 3])
def test_16_bits_become_8(channels, tmp_path):
    image = picture(channels=channels)
    path = str(tmp_path / 'a.png')
    cv2.imwrite(path, image.astype(np.uint16) * 257)
    loaded = LoadPersonImage().transform(dict(img_path=path))['img']
    np.testing.assert_array_equal(loaded, np.broadcast_to(image, (20, 9, 3)))


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees, clockwise
    path = tmp_path / 'a.jpg'
    plain = cv2.resize(picture(4, 3), (48, 64), interpolation=cv2.INTER_CUBIC)
    path.write_bytes(encoded(Image.fromarray(plain[..., ::-1]), 'JPEG', quality=95, exif=exif))
    loaded = LoadPersonImage().transform(dict(img_path=str(path)))
    assert loaded['img_shape'] == (48, 64)
    assert np.abs(loaded['img'].astype(int) - np.rot90(plain, -1)).mean() < 5


@pytest.mark.parametrize('kind', ['JPEG', 'PNG'])
@pytest.mark.parametrize('share', [0, 0.02, 0.5])
def test_broken_files_are_named(kind, share, tmp_path):
    content = encoded(Image.fromarray(picture(64, 32)), kind)
    path = tmp_path / 'broken.img'
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(OSError, match=r'Cannot read the image .*broken\.img'):
        LoadPersonImage().transform(dict(img_path=str(path)))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere'):
        LoadPersonImage().transform(dict(img_path=str(tmp_path / 'nowhere.jpg')))


# ------------------------------------------------------------------ geometry


def step_by_step(image, size, flip, padding, top, left):
    """Resize, flip, pad and crop, each on its own."""
    image = cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    if flip:
        image = np.flip(image, 1)
    image = np.pad(image, ((padding, padding), (padding, padding), (0, 0)))
    return image[top : top + size[0], left : left + size[1]]


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(4, 24), st.integers(4, 12)),
    st.sampled_from([0.0, 1.0]),
    st.integers(0, 3),
    st.integers(0, 2**32),
)
def test_geometry_is_one_of_the_step_by_step_results(size, flip_prob, padding, seed):
    image = picture(seed=seed)
    random.seed(seed)
    results = ResizeFlipCrop(size, flip_prob, padding).transform(dict(img=image.copy()))
    assert results['img_shape'] == size
    assert results['img'].shape == (*size, 3)
    offsets = range(2 * padding + 1)
    candidates = [step_by_step(image, size, flip_prob, padding, top, left) for top in offsets for left in offsets]
    assert any(np.array_equal(results['img'], candidate) for candidate in candidates)


def test_crops_and_flips_are_drawn_evenly():
    transform = ResizeFlipCrop((6, 5), flip_prob=0.25, padding=1)
    image = picture(6, 5)
    expected = {
        step_by_step(image, (6, 5), flip, 1, top, left).tobytes(): (0.25 if flip else 0.75) / 9
        for flip in (False, True)
        for top in range(3)
        for left in range(3)
    }
    counts = dict.fromkeys(expected, 0)
    random.seed(0)
    for _ in range(3000):
        counts[np.ascontiguousarray(transform.transform(dict(img=image))['img']).tobytes()] += 1
    for key, share in expected.items():
        assert abs(counts[key] / 3000 - share) < 0.025


def test_without_randomness_it_is_mmcv_resize():
    image = picture(50, 17)
    resize = TRANSFORMS.build(dict(type='Resize', scale=(12, 36), interpolation='bicubic'))
    expected = resize(dict(img=image))['img']
    transform = ResizeFlipCrop((36, 12), flip_prob=0, padding=0, interpolation='bicubic')
    np.testing.assert_array_equal(transform(dict(img=image))['img'], expected)


# ------------------------------------------------------------------ erasing


def test_boxes_are_distributed_as_torchvision_draws_them():
    size, draws = (48, 16), 4000
    random.seed(0)
    torch.manual_seed(0)
    transform, reference = RandomErasingBox(prob=0.5), RandomErasing(0.5, (0.02, 0.4), (0.3, 3.3))
    ours, theirs = [], []
    image, pixels = np.zeros((*size, 3), np.uint8), torch.zeros(3, *size)
    for _ in range(draws):
        results = transform.transform(dict(img=image))
        if 'erased' in results:
            ours.append(results['erased'])
        if torch.rand(1) < reference.p:
            *box, _ = reference.get_params(pixels, reference.scale, reference.ratio, [0.0])
            theirs.append(box)
    assert abs(len(ours) / draws - 0.5) < 0.03
    ours, theirs = np.array(ours, float), np.array(theirs, float)
    quantiles = np.linspace(0.05, 0.95, 10)
    columns = [lambda b: b[:, 0], lambda b: b[:, 1], lambda b: b[:, 2], lambda b: b[:, 3], lambda b: b[:, 2] * b[:, 3]]
    for column, tolerance in zip(columns, (3, 1.5, 3, 1.5, 25), strict=True):
        difference = np.quantile(column(ours), quantiles) - np.quantile(column(theirs), quantiles)
        assert np.abs(difference).max() <= tolerance


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32))
def test_boxes_stay_within_image_and_ranges(height, width, seed):
    random.seed(seed)
    results = RandomErasingBox(prob=1.0).transform(dict(img=np.zeros((height, width, 3), np.uint8)))
    if 'erased' in results:
        top, left, box_height, box_width = results['erased']
        assert 0 <= top <= height - box_height
        assert 0 <= left <= width - box_width
        # Rounding a side moves it by up to a half.
        assert (box_height + 0.5) * (box_width + 0.5) >= 0.02 * height * width
        assert (box_height - 0.5) * (box_width - 0.5) <= 0.4 * height * width


def test_nothing_to_erase_where_no_box_fits():
    results = RandomErasingBox(prob=1.0, area_range=(1.0, 1.0)).transform(dict(img=np.zeros((8, 8, 3), np.uint8)))
    assert 'erased' not in results


# ------------------------------------------------------------------ captions and packing


@pytest.fixture
def tokenizer():
    tokenizer = WordTokenizer()
    tokenizer.fit(['a man in red', 'a woman'])
    return tokenizer


def test_captions_become_ids(tokenizer):
    train = TokenizeCaption().transform(dict(caption='a man', tokenizer=tokenizer))
    assert train['tokens'] == [tokenizer.encode('a man')]
    assert train['captions'] == ['a man']
    captions = ['a woman', '', 'a man in green']
    evaluation = TokenizeCaption().transform(dict(captions=captions, tokenizer=tokenizer))
    assert evaluation['tokens'] == [tokenizer.encode(caption) for caption in captions]
    assert TokenizeCaption().transform(dict(captions=[], tokenizer=tokenizer))['tokens'] == []


def test_missing_keys_are_named(tokenizer):
    with pytest.raises(ValueError, match='tokenizer'):
        TokenizeCaption().transform(dict(caption='a man'))
    with pytest.raises(ValueError, match='captions'):
        TokenizeCaption().transform(dict(tokenizer=tokenizer))


def test_packing_keeps_bytes_fields_and_meta():
    image = picture()
    results = dict(
        img=image, img_path='a.jpg', person_id=4, image_id=7, tokens=[[1, 2], [3]], captions=['x y', 'z'],
        ori_shape=(5, 6), img_shape=(20, 9), erased=(1, 2, 3, 4), tokenizer='dropped', caption='dropped',
    )  # fmt: skip
    packed = PackTBPSInputs().transform(results)
    assert set(packed) == {'inputs', 'data_samples'}
    np.testing.assert_array_equal(packed['inputs']['image'].numpy(), np.moveaxis(image, 2, 0))
    assert packed['inputs']['image'].is_contiguous()
    sample = packed['data_samples']
    fields = dict(person_id=4, image_id=7, tokens=[[1, 2], [3]], erased=(1, 2, 3, 4))
    assert dict(sample.items()) == fields
    meta = dict(img_path='a.jpg', captions=['x y', 'z'], ori_shape=(5, 6), img_shape=(20, 9))
    assert dict(sample.metainfo_items()) == meta


def test_gallery_image_needs_no_caption_and_no_person():
    sample = PackTBPSInputs().transform(dict(img=picture()))['data_samples']
    assert dict(sample.items()) == dict(tokens=[])


@pytest.mark.parametrize('image', [picture().astype(np.float32), picture()[..., 0], picture(channels=4)])
def test_packing_refuses_other_images(image):
    with pytest.raises(ValueError, match='uint8 of shape'):
        PackTBPSInputs().transform(dict(img=image))


def test_both_collate_functions_keep_ragged_captions():
    items = [PackTBPSInputs().transform(dict(img=picture(seed=n), tokens=[[1]] * n)) for n in range(3)]
    pseudo, stacked = pseudo_collate(items), default_collate(items)
    assert torch.equal(torch.stack(pseudo['inputs']['image']), stacked['inputs']['image'])
    for batch in (pseudo, stacked):
        assert [len(sample.tokens) for sample in batch['data_samples']] == [0, 1, 2]


# ------------------------------------------------------------------ construction


@pytest.mark.parametrize(
    ('transform', 'arguments', 'name'),
    [
        (ResizeFlipCrop, dict(size=(0, 3)), 'size'),
        (ResizeFlipCrop, dict(size=(3,)), 'size'),
        (ResizeFlipCrop, dict(flip_prob=1.5), 'flip_prob'),
        (ResizeFlipCrop, dict(padding=-1), 'padding'),
        (ResizeFlipCrop, dict(size=(8, 8), padding=8), 'padding'),
        (ResizeFlipCrop, dict(interpolation='magic'), 'interpolation'),
        (RandomErasingBox, dict(prob=-0.1), 'prob'),
        (RandomErasingBox, dict(area_range=(0.4, 0.02)), 'area_range'),
        (RandomErasingBox, dict(area_range=(0.4, 1.2)), 'area_range'),
        (RandomErasingBox, dict(aspect_range=(0, 1)), 'aspect_range'),
    ],
)
def test_wrong_arguments_are_named(transform, arguments, name):
    with pytest.raises(ValueError, match=name):
        transform(**arguments)


@pytest.mark.parametrize(
    ('name', 'argument'),
    [
        ('LoadPersonImage', 'backend_args=None'),
        ('ResizeFlipCrop', 'size=(384, 128), flip_prob=0.5, padding=10'),
        ('RandomErasingBox', 'area_range=(0.02, 0.4)'),
        ('TokenizeCaption', ''),
        ('PackTBPSInputs', "meta_keys=('img_path'"),
    ],
)
def test_registered_with_a_full_repr(name, argument):
    text = repr(TRANSFORMS.build(dict(type=name)))
    assert text.startswith(f'{name}(')
    assert argument in text
