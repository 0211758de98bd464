"""Folders as they are: links, circles, names of other systems, files that are no images."""

import os
import shutil

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_search import PixelEncoder

from mmtbps.core.image_kinds import image_suffixes
from mmtbps.core.images import read_image
from mmtbps.search import Searcher, list_gallery, list_images
from mmtbps.search.walking import walk_images

OPTIONS = dict(num_workers=0, progress=False)
PNG = cv2.imencode('.png', np.zeros((8, 4, 3), np.uint8))[1].tobytes()


def write(path, content=PNG):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names(folder):
    return [os.path.relpath(image.path, folder) for image in list_gallery(folder)]


FOLDERS = st.lists(st.sampled_from(['a', 'a/b', 'c', 'c/d/e', 'f']), unique=True)
LINKS = st.lists(
    st.tuples(st.sampled_from(['l', 'a/l', 'c/m', 'z/l']), st.sampled_from(['.', 'a', 'c', '../far', 'f', 'gone']))
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FOLDERS, LINKS)
def test_every_image_is_listed_once_whatever_links_there_are(tmp_path, folders, links):
    shutil.rmtree(tmp_path)
    root, far = tmp_path / 'root', write(tmp_path / 'far' / 'x.png').parent
    own = {write(root / folder / 'y.png') for folder in ['.', *folders]}
    leads = False
    for name, target in links:
        link = root / name
        if not os.path.lexists(link) and not link.parent.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(root / target, target_is_directory=True)
            leads |= (root / target).resolve() == far
    found = walk_images(root).images
    real = [os.path.realpath(path) for path in found]
    assert sorted(real) == sorted([*map(str, own), *([str(far / 'x.png')] if leads else [])])
    # What the folder holds itself keeps its own path.
    assert {str(path) for path in own} <= set(map(os.path.abspath, found))


def test_a_linked_folder_does_not_leave_the_gallery_when_its_disk_is_away(tmp_path):
    root, disk = tmp_path / 'root', tmp_path / 'disk'
    write(root / 'a.png'), write(disk / 'b.png')
    (root / 'link').symlink_to(disk, target_is_directory=True)
    searcher = Searcher(PixelEncoder())
    assert searcher.index(root, **OPTIONS).added == 2
    disk.rename(tmp_path / 'away')
    report = searcher.index(root, **OPTIONS)
    assert (report.removed, report.total) == (0, 2)
    assert f'not looked into: {root}/link (a link that leads nowhere)' in str(report)
    (root / 'link').unlink()
    assert searcher.index(root, **OPTIONS).removed == 1


def test_images_of_hidden_folders_stay_when_the_folder_around_is_indexed(tmp_path):
    searcher = Searcher(PixelEncoder())
    searcher.index(write(tmp_path / '.hidden' / 'a.png').parent, **OPTIONS)
    write(tmp_path / 'b.png')
    report = searcher.index(tmp_path, **OPTIONS)
    assert (report.added, report.removed, report.total) == (1, 0, 2)
    assert '1 hidden folders' in str(report)


@pytest.mark.parametrize('error', [PermissionError(13, 'Permission denied'), OSError(5, 'Input/output error')])
def test_a_folder_that_cannot_be_read_is_told_and_nothing_of_it_is_gone(tmp_path, monkeypatch, error):
    write(tmp_path / 'a.png'), write(tmp_path / 'sub' / 'b.png')
    searcher = Searcher(PixelEncoder())
    searcher.index(tmp_path, **OPTIONS)
    real_scandir = os.scandir

    def scandir(path):
        if os.path.basename(os.fspath(path)) == 'sub':
            error.filename = os.fspath(path)
            raise error
        return real_scandir(path)

    monkeypatch.setattr(os, 'scandir', scandir)
    report = searcher.index(tmp_path, **OPTIONS)
    assert (report.removed, report.total) == (0, 2)
    assert f'not looked into: {tmp_path}/sub ({error.strerror})' in str(report)


def test_what_cannot_be_asked_about_is_not_gone(tmp_path, monkeypatch):
    listing = list_images(write(tmp_path / 'a.png').parent)
    assert listing.misses(str(tmp_path / 'b.png'))
    assert listing.misses(str(tmp_path / 'a.png' / 'b.png'))
    monkeypatch.setattr(os, 'stat', lambda path: (_ for _ in ()).throw(PermissionError(path)))
    assert not listing.misses(str(tmp_path / 'b.png'))


@pytest.mark.parametrize('suffix', sorted(image_suffixes()))
def test_what_is_listed_can_be_read(tmp_path, suffix):
    from PIL import Image

    file = tmp_path / f'a{suffix}'
    Image.new('RGB', (16, 16)).save(file)
    assert names(tmp_path) == [file.name]
    assert read_image(file).shape == (16, 16, 3)


def test_the_usual_kinds_can_be_read():
    assert {'.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp'} <= image_suffixes()


def test_files_that_are_no_images_are_counted_by_kind(tmp_path):
    for name in ('a.png', 'b.TXT', 'c.txt', 'd.heic', 'e', '.DS_Store', '._a.png'):
        write(tmp_path / name)
    listing = list_images(tmp_path)
    assert listing.remarks == ['not read, since no image: 1 .heic, 2 .txt, 2 hidden, 1 without extension']
    (tmp_path / 'a.png').unlink()
    with pytest.raises(ValueError, match=r'no image in the folder .* It holds files that are not read.*1 \.heic'):
        list_images(tmp_path)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(min_size=1, max_size=6).filter(lambda name: not set(name) & set(b'/\0.')), min_size=1))
def test_names_of_any_bytes_are_indexed_and_printed(tmp_path, parts):
    shutil.rmtree(tmp_path)
    for part in parts:
        folder = tmp_path / os.fsdecode(part)
        write(folder / (os.fsdecode(part) + '.png'))
    searcher = Searcher(PixelEncoder())
    assert searcher.index(tmp_path, tmp_path / '.gallery', **OPTIONS).added == len(set(parts))
    found = Searcher.load(tmp_path / '.gallery').search('a man', len(set(parts)))
    assert {os.fsencode(os.path.basename(result.path)) for result in found} == {part + b'.png' for part in parts}
    broken = write(tmp_path / os.fsdecode(b'\xd0') / 'x.png', b'x')
    report = str(searcher.index(tmp_path, **OPTIONS))
    report.encode()
    assert f'skipped {tmp_path}/\\xd0/{broken.name}' in report


@pytest.mark.parametrize('address', ['https://example.org/a.png', 'HTTP://example.org/a.png', 'ftp://example.org/a'])
def test_addresses_are_no_files(tmp_path, address):
    told = r'is an address, not a file: only files of this machine are read\. Download it first\.'
    for images in (address, [address]):
        with pytest.raises(FileNotFoundError, match=told):
            list_images(images)
    with pytest.raises(ValueError, match=told):
        PixelEncoder().encode_images([address])


def test_odd_entries_cost_themselves_alone(tmp_path):
    write(tmp_path / 'a.png'), write(tmp_path / 'sub' / 'b.png')
    (tmp_path / 'circle.png').symlink_to('circle.png')
    os.mkfifo(tmp_path / 'pipe.png')
    listing = list_images(tmp_path)
    assert [os.path.basename(image.path) for image in listing.images] == ['a.png', 'b.png']
    assert '1 pipes, sockets or devices' in listing.remarks[0]
    assert 'circle.png (Too many levels of symbolic links)' in listing.remarks[1]
    with pytest.raises(ValueError, match=r'pipe\.png is no file that can be read as an image'):
        list_images([tmp_path / 'pipe.png'])


def test_a_file_that_cannot_be_looked_at_is_told(tmp_path, monkeypatch):
    write(tmp_path / 'a.png'), write(tmp_path / 'b.png')
    searcher, real = Searcher(PixelEncoder()), os.stat
    searcher.index(tmp_path, **OPTIONS)

    def refusing(path, *args, **kwargs):
        if os.fspath(path) == str(tmp_path / 'b.png'):
            raise PermissionError(13, 'Permission denied')
        return real(path, *args, **kwargs)

    monkeypatch.setattr('mmtbps.search.listing.os.stat', refusing)
    report = searcher.index(tmp_path, **OPTIONS)
    assert (report.removed, report.total) == (0, 2)
    assert 'b.png (Permission denied)' in str(report)


def test_a_second_link_to_a_folder_does_not_double_it(tmp_path):
    root, disk = tmp_path / 'root', tmp_path / 'disk'
    write(root / 'a.png'), write(disk / 'b.png')
    (root / 'z').symlink_to(disk, target_is_directory=True)
    searcher = Searcher(PixelEncoder())
    searcher.index(root, **OPTIONS)
    (root / 'b').symlink_to(disk, target_is_directory=True)
    report = searcher.index(root, **OPTIONS)
    assert (report.removed, report.total) == (1, 2)


def test_many_unseen_files_are_counted(tmp_path):
    write(tmp_path / 'a.png')
    for number in range(30):
        (tmp_path / f'{number}.png').symlink_to('nowhere')
    assert len(list_images(tmp_path).remarks) == 21
    assert list_images(tmp_path).remarks[-1] == '... and 10 more'


def test_names_with_line_breaks_are_printed_in_a_line(tmp_path):
    write(tmp_path / 'a.png')
    write(tmp_path / 'b\n\x1b[31m.png', b'no image')
    report = str(Searcher(PixelEncoder()).index(tmp_path, **OPTIONS))
    assert 'b\\x0a\\x1b[31m.png' in report
    assert '\x1b' not in report
