"""Images that would fill the memory are refused by what their first bytes say."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine import fileio
from odd_images import claim_size
from PIL import Image

from mmtbps.core.images import MAX_PIXELS, decode_image, read_image
from mmtbps.datasets.annotation import read_text
from mmtbps.datasets.transforms import LoadPersonImage
from mmtbps.datasets.verify import _decoding_error
from mmtbps.datasets.word_vectors import read_words
from mmtbps.search.web.uploads import UploadLimits, keep_upload
from mmtbps.visualization import draw_ranking


@pytest.fixture(autouse=True)
def decoded(monkeypatch):
    """Sizes of the files that reached the decoder."""
    sizes, decode = [], cv2.imdecode
    monkeypatch.setattr(cv2, 'imdecode', lambda content, *flags: sizes.append(content.size) or decode(content, *flags))
    return sizes


@pytest.mark.parametrize(
    ('width', 'height'),
    [(10_000, 10_000), (30_000, 30_000), (1, MAX_PIXELS + 1), (2**31 - 1, 2**31 - 1)],  # Pillow refuses some itself
)
def test_too_many_pixels_are_not_decoded(width, height, tmp_path, decoded, recwarn):
    bomb = claim_size(tmp_path / 'bomb.png', width, height)
    for read in (
        lambda: LoadPersonImage().transform(dict(img_path=str(bomb))),
        lambda: draw_ranking('a man', [str(bomb)], [1.0]),
    ):
        with pytest.raises(OSError, match=r'Cannot read the image .*bomb\.png .* 89\.4785 megapixels'):
            read()
    assert '89.4785 megapixels' in _decoding_error(str(bomb))
    with pytest.raises(ValueError, match=r'bomb\.png: it has .* 40 megapixels'):
        keep_upload(bomb, tmp_path / 'kept', UploadLimits())
    assert not decoded
    assert not recwarn.list


def test_the_limit_is_a_setting(tmp_path):
    path = str(tmp_path / 'image.png')
    cv2.imwrite(path, np.zeros((30, 20, 3), np.uint8))
    assert LoadPersonImage(max_pixels=600).transform(dict(img_path=path))['img_shape'] == (30, 20)
    with pytest.raises(OSError, match=r'30 pixels, above 0\.000599 megapixels'):
        LoadPersonImage(max_pixels=599).transform(dict(img_path=path))
    with pytest.raises(ValueError, match='max_pixels must be at least 1, got 0'):
        LoadPersonImage(max_pixels=0)


@pytest.mark.parametrize('suffix', ['.bmp', '.jpg', '.jp2', '.png', '.ppm', '.tiff', '.webp'])
@pytest.mark.parametrize('mode', ['L', 'RGB'])
def test_pixels_are_those_of_opencv(suffix, mode, tmp_path, decoded):
    path = tmp_path / f'image{suffix}'
    colours = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)
    Image.fromarray(colours).convert(mode).save(path)
    np.testing.assert_array_equal(read_image(path), cv2.imread(str(path)))
    assert len(decoded) == 1
    np.testing.assert_array_equal(decode_image(path.read_bytes()), cv2.imread(str(path)))


@pytest.fixture
def endless(tmp_path, monkeypatch):
    """A pipe that nobody writes to: whoever opens it waits without end, and here fails."""

    def refuse(*_args, **_kwargs):
        raise AssertionError('it was opened')

    os.mkfifo(tmp_path / 'pipe.csv')
    for owner, name in ((fileio, 'get'), (fileio, 'get_text'), (Image, 'open'), (Path, 'read_text')):
        monkeypatch.setattr(owner, name, refuse)
    return tmp_path / 'pipe.csv'


def test_what_is_no_regular_file_is_not_read(endless, tmp_path):
    told = r'pipe\.csv is a device, pipe or socket, not a file\. Name a file\.'
    for read in (read_image, read_text, read_words):
        with pytest.raises(OSError, match=told) as error:
            read(str(endless))
        assert '\n' not in str(error.value)
        with pytest.raises(OSError, match='is a folder, not a file'):
            read(str(tmp_path))
    assert 'is a device, pipe or socket' in _decoding_error(str(endless))
