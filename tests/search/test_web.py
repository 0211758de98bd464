"""What stands behind the web page; the page itself is tested in a browser by tests/tools/test_web_demo.py."""

import os
import shutil

import cv2
import numpy as np
import pytest
from odd_images import claim_size
from PIL import Image
from tiny_search import WORDS, PixelEncoder

from mmtbps.datasets import WordTokenizer
from mmtbps.search import MetadataSource, Searcher
from mmtbps.search.web import Galleries, Query, UploadLimits, keep_upload


@pytest.fixture
def searcher(crops, tmp_path):
    searcher = Searcher(PixelEncoder())
    searcher.index(crops, tmp_path / 'index', num_workers=0, progress=False)
    return searcher


@pytest.fixture
def picture():
    return np.random.default_rng(5).integers(0, 256, (30, 14, 3), dtype=np.uint8)


def write(path, picture):
    cv2.imwrite(str(path), picture)
    return path


def test_a_small_gallery_is_shown_as_a_whole(searcher):
    answer = Galleries(dict(one=searcher)).by_sentence('one', ' a  man\n', 50, None)
    assert answer.message == 'The best 12 of 12 images for: a man'
    assert [hit.path for hit in answer.hits] == [result.path for result in searcher.search('a man', 12)]
    for hit in answer.hits:
        np.testing.assert_array_equal(hit.picture, cv2.imread(hit.path)[..., ::-1])


def test_an_image_of_the_gallery_finds_itself_and_no_other_file_is_taken(searcher, tmp_path, picture):
    galleries = Galleries(dict(one=searcher))
    path = searcher.gallery.store.paths()[3]
    answer = galleries.by_image('one', path, 3, 'QueryExpansion')
    assert answer.hits[0].path == path
    np.testing.assert_array_equal(answer.query, cv2.imread(path)[..., ::-1])
    outside = galleries.by_image('one', str(write(tmp_path / 'outside.png', picture)), 3, None)
    assert outside.failed
    assert not outside.hits
    assert outside.query is None


def test_unknown_words_are_told_with_suggestions(searcher):
    searcher.encoder.tokenizer = WordTokenizer(vocabulary=WORDS)
    galleries = Galleries(dict(one=searcher))
    told = galleries.by_sentence('one', 'a wmoan in red', 3, None)
    assert told.message.endswith('words that the model does not know: wmoan (did you mean woman?)')
    assert len(told.hits) == 3
    told = galleries.by_sentence('one', 'eine Frau', 3, None)
    assert told.failed
    assert told.message.startswith('The model knows none of these words')
    assert 'whose most frequent words are a, man, woman' in told.message


def test_a_search_that_fails_is_told(searcher):
    told = Galleries(dict(one=searcher)).ask(Query('a man', where='camra = 1'))
    assert told.failed
    assert told.message == "The search failed: No image of the gallery has the metadata 'camra'; there are: folder."


def test_names_that_are_no_utf8_are_shown(searcher, tmp_path, picture):
    odd = tmp_path / os.fsdecode(b'\xd0\xd0')
    odd.mkdir()
    path = odd / os.fsdecode(b'\xcd.png')
    path.write_bytes(cv2.imencode('.png', picture)[1].tobytes())
    searcher.index([path], metadata=MetadataSource(pattern='(?P<person_id>[^/]+)[.]png'), num_workers=0, progress=False)
    (told,) = [Galleries(dict(one=searcher)).by_image('one', str(path), 1, None)]
    assert told.message.endswith('like \\xcd.png')
    assert told.hits[0].caption == '1 · 1.000\n\\xcd.png\nperson_id \\xcd\nfolder \\xd0\\xd0'
    with pytest.raises(ValueError, match=r'The path .*xd0.xd0/g is no UTF-8; features can only be kept in a folder'):
        Searcher.load(tmp_path / 'index', encoder=PixelEncoder()).save(odd / 'g')
    shutil.copytree(tmp_path / 'index', odd / 'g')
    with pytest.raises(ValueError, match='is no UTF-8'):
        Searcher.load(odd / 'g', encoder=PixelEncoder())


def test_an_image_that_is_gone_is_grey(searcher, crops):
    path = searcher.gallery.store.paths()[0]
    (crops / path).unlink()
    galleries = Galleries(dict(one=searcher))
    (gone,) = [hit for hit in galleries.by_sentence('one', 'a man', 12, None).hits if hit.path == path]
    assert np.unique(gone.picture).tolist() == [128]
    assert galleries.by_image('one', path, 3, None).failed


def test_added_images_stay_with_the_index(searcher, tmp_path, picture):
    galleries = Galleries(dict(one=searcher), UploadLimits(files=2))
    file = write(tmp_path / 'a name.png', picture)
    answer = galleries.add('one', [file])
    assert answer.message == '1 added to one, which has 13 images now.'
    file.unlink()
    again = Searcher.load(tmp_path / 'index', encoder=PixelEncoder())
    found = again.search_by_image(picture, topk=1)[0]
    assert found.path == answer.hits[0].path
    assert found.path.startswith(str(tmp_path / 'index' / 'uploads' / 'a_name-'))
    assert 'there already' in galleries.add('one', [write(file, picture)]).message
    assert len(searcher) == 13
    assert galleries.add('one', [file] * 3).message == '3 files are too many; at most 2 at a time.'
    assert galleries.add('one', []).failed


def test_nothing_is_added_where_nothing_may_be(searcher, tmp_path, picture):
    answer = Galleries(dict(one=searcher)).add('one', [write(tmp_path / 'a.png', picture)])
    assert answer.failed
    assert len(searcher) == 12


def test_pixels_alone_are_kept(tmp_path, picture):
    exif = Image.Exif()
    exif[0x010E] = 'where and when'
    file = tmp_path / '..%2f..%2fetc.jpg'
    Image.fromarray(picture).save(file, exif=exif, quality=95)
    file.write_bytes(file.read_bytes() + b'<?php ?>')
    kept = keep_upload(file, tmp_path / 'kept', UploadLimits())
    assert kept.parent == tmp_path / 'kept'
    assert kept.name.startswith('_2f_2fetc-')
    np.testing.assert_array_equal(cv2.imread(str(kept)), cv2.imread(str(file)))
    assert b'where' not in kept.read_bytes()
    assert b'php' not in kept.read_bytes()
    assert keep_upload(file, tmp_path / 'kept', UploadLimits()) == kept


def test_what_is_refused(tmp_path, picture):
    limits = UploadLimits(megabytes=0.01, megapixels=1)
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    whole = write(tmp_path / 'whole.png', picture).read_bytes()
    (tmp_path / 'half.png').write_bytes(whole[: len(whole) // 2])
    (tmp_path / 'vector.png').write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    Image.fromarray(picture).save(tmp_path / 'moving.png', format='GIF')
    for file, reason in [
        (write(tmp_path / 'large.png', noise), 'large.png is larger than 0.01 MB.'),
        (claim_size(tmp_path / 'bomb.png', 40000, 40000), 'bomb.png'),
        (claim_size(tmp_path / 'wide.png', 2000, 1000), 'wide.png: it has 2000 x 1000 pixels, above 1 megapixels.'),
        (tmp_path / 'vector.png', 'vector.png is not an image of an accepted type'),
        (tmp_path / 'moving.png', 'moving.png is not an image of an accepted type'),
        (tmp_path / 'half.png', 'half.png is broken.'),
    ]:
        with pytest.raises(ValueError, match=reason):
            keep_upload(file, tmp_path / 'kept', limits)
    assert not (tmp_path / 'kept').exists()


def test_settings_that_make_no_sense(searcher, tmp_path):
    with pytest.raises(ValueError, match='at least one gallery'):
        Galleries({})
    with pytest.raises(ValueError, match='one is empty'):
        Galleries(dict(one=Searcher(PixelEncoder())))
    memory = Searcher(PixelEncoder())
    memory.index(searcher.gallery.store.paths(), num_workers=0, progress=False)
    assert len(Galleries(dict(one=memory)).by_sentence('one', 'a man', 2, None).hits) == 2
    with pytest.raises(ValueError, match='in memory'):
        Galleries(dict(one=memory), UploadLimits())
    with pytest.raises(ValueError, match='megabytes must be positive, got 0'):
        UploadLimits(megabytes=0)


def test_indexes_of_one_name_are_told_apart(searcher, tmp_path):
    for name in ('index2', 'other/index'):
        Searcher.load(tmp_path / 'index', encoder=PixelEncoder()).save(tmp_path / name)
    galleries = Galleries.load([tmp_path / 'index', tmp_path / 'index2', tmp_path / 'other' / 'index'])
    assert list(galleries.searchers) == [str(tmp_path / 'index'), 'index2', str(tmp_path / 'other' / 'index')]
