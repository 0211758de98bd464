"""Image files: damaged, of other formats, of odd modes and sizes."""

import io

import cv2
import numpy as np
import pytest
import torch
from fuzzing import REFUSED, altered_bytes, attempt, fuzz
from hypothesis import strategies as st
from PIL import Image
from tiny_search import PixelEncoder

from mmtbps.registry import TRANSFORMS
from mmtbps.search import ModelEncoder, Searcher

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 10, 3), dtype=np.uint8))
FORMATS = ('PNG', 'JPEG', 'BMP', 'WEBP', 'TIFF', 'PPM', 'GIF')
MODES = ('1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'CMYK', 'YCbCr', 'I', 'I;16', 'F', 'HSV')


def encoded(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


WHOLE = {kind: encoded(PICTURE, kind) for kind in FORMATS}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('images')


@pytest.fixture(scope='module')
def load():
    return TRANSFORMS.build(dict(type='LoadPersonImage'))


def check(load, file):
    loaded = attempt(lambda: load(dict(img_path=str(file))), file)
    if loaded is not REFUSED:
        picture = loaded['img']
        assert (picture.dtype, picture.ndim, picture.shape[2]) == (np.uint8, 3, 3)
        assert loaded['img_shape'] == picture.shape[:2]
        assert picture.size
    return loaded


@fuzz(
    400,
    case=st.sampled_from(FORMATS).flatmap(lambda kind: st.tuples(st.just(kind), altered_bytes(WHOLE[kind], most=6))),
    name=st.sampled_from(['a.png', 'a.jpg', 'a', 'a b.tif', 'ä.webp']),
)
def test_altered_files(folder, load, case, name):
    (folder / name).write_bytes(case[1])
    check(load, folder / name)


@fuzz(
    150,
    mode=st.sampled_from(MODES),
    kind=st.sampled_from(FORMATS),
    size=st.tuples(*[st.one_of(st.integers(1, 5), st.sampled_from([1, 40, 700]))] * 2),
    turned=st.integers(0, 9),
)
def test_odd_modes_and_sizes(folder, load, mode, kind, size, turned):
    picture = Image.new(mode, size) if mode in ('I;16', 'HSV') else PICTURE.resize(size).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = turned
    try:
        content = encoded(picture, kind, **({'exif': exif} if kind in ('PNG', 'JPEG', 'WEBP', 'TIFF') else {}))
    except (OSError, ValueError):  # no such picture in this format
        return
    (folder / 'picture').write_bytes(content)
    loaded = check(load, folder / 'picture')
    if loaded is not REFUSED:
        assert sorted(loaded['img_shape']) == sorted(size)


@fuzz(150, content=st.one_of(st.binary(max_size=200), altered_bytes(WHOLE['PNG'])))
def test_a_gallery_lists_broken_images_and_takes_the_others(folder, content):
    crops = folder / 'crops'
    crops.mkdir(exist_ok=True)
    (crops / 'good.png').write_bytes(WHOLE['PNG'])
    (crops / 'odd.png').write_bytes(content)
    searcher = Searcher(PixelEncoder())
    report = searcher.index(crops, num_workers=0, progress=False)
    readable = cv2.imread(str(crops / 'odd.png')) is not None
    assert (len(searcher), len(report.broken)) == (1 + readable, 1 - readable)


@fuzz(
    100,
    image=st.one_of(
        st.builds(
            lambda shape, kind: np.zeros(shape, kind),
            st.lists(st.integers(0, 5), max_size=4).map(tuple),
            st.sampled_from(['u1', 'f4', 'i8', '?', 'U3', 'O', 'c8', 'V2']),
        ),
        st.sampled_from(['', '/', '/nowhere/a.png', '\x00', None, 7, torch.zeros(3, 4, 3)]),
    ),
)
def test_images_of_queries(encoder, image):
    features = attempt(lambda: encoder.encode_images([image]), 'image', str(image))
    if features is not REFUSED:
        assert features.shape == (1, 16)
        assert features.isfinite().all()


@pytest.fixture(scope='module')
def encoder(model_files):
    return ModelEncoder(*model_files)
