"""Galleries and sets of shards from a stranger: manifests altered, files cut short, altered, exchanged and missing."""

import json
import shutil

import pytest
import torch
from fuzzing import JSON, REFUSED, altered_bytes, altered_json, as_json, attempt, fuzz
from hypothesis import strategies as st
from tiny_search import PixelEncoder, draw_crops

from mmtbps.search import Searcher, list_gallery
from mmtbps.search.generations import MANIFEST, write_sealed
from mmtbps.search.shard_set import SHARD_MANIFEST, extract_shards, read_shard_set


@pytest.fixture(scope='module')
def crops(tmp_path_factory):
    return draw_crops(tmp_path_factory.mktemp('images') / 'crops', persons=2)


class Folder:
    """A folder whose files are put back as they were before every case."""

    def __init__(self, path):
        self.path = path
        self.files = {
            str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob('*')) if file.is_file()
        }

    def __call__(self):
        shutil.rmtree(self.path)
        for name, content in self.files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_bytes(content)
        return self.path


@pytest.fixture(scope='module')
def gallery(crops, tmp_path_factory):
    folder = tmp_path_factory.mktemp('gallery') / 'gallery'
    searcher = Searcher(PixelEncoder(), 'FaissFlat')
    searcher.index(crops, folder, num_workers=0, progress=False, block_size=4)
    searcher.gallery.remove([crops / 'cam0'])
    return Folder(folder)


@pytest.fixture(scope='module')
def expected(gallery):
    return search(gallery())


def search(folder):
    searcher = Searcher.load(folder)
    try:
        return searcher.search('a man', topk=min(4, len(searcher)), where='folder != x')
    finally:
        searcher.close()


MISTAKES = ('empty', 'topk', 'metadata')  # of a gallery that says that it has nothing


@fuzz(250, data=st.data(), sealed=st.booleans())
def test_altered_manifests(gallery, data, sealed):
    """With a checksum that fits what it says now, or with the old one."""
    folder = gallery()
    file = folder / MANIFEST
    value = data.draw(altered_json(json.loads(file.read_bytes())))
    if sealed and isinstance(value, dict):
        write_sealed(file, {key: part for key, part in value.items() if key != 'sha256'})
    else:
        file.write_bytes(as_json(value))
    found = attempt(lambda: search(folder), *gallery.files, folder.name, *MISTAKES)
    if found is not REFUSED:
        assert all(-1.001 <= result.cosine <= 1.001 for result in found)


@fuzz(150, data=st.data())
def test_altered_files_of_a_gallery(gallery, expected, data):
    folder = gallery()
    name = data.draw(st.sampled_from(sorted(gallery.files)))
    kind = data.draw(st.sampled_from(['alter', 'alter', 'alter', 'missing', 'folder', 'other']))
    file = folder / name
    if kind == 'alter':
        file.write_bytes(data.draw(altered_bytes(gallery.files[name])))
    else:
        file.unlink()
        if kind == 'folder':
            file.mkdir()
        elif kind == 'other':
            other = data.draw(st.sampled_from(sorted(gallery.files)))
            file.write_bytes(gallery.files[other])
    found = attempt(lambda: search(folder), *gallery.files, folder.name)
    assert found is REFUSED or found == expected


@pytest.fixture(scope='module')
def shards(crops, tmp_path_factory):
    folder = tmp_path_factory.mktemp('shards') / 'shards'
    extract_shards(PixelEncoder(), list_gallery(crops), folder, shard_size=3, num_workers=0, progress=False)
    return Folder(folder)


@fuzz(250, data=st.data())
def test_altered_sets_of_shards(shards, data):
    folder = shards()
    name = data.draw(st.sampled_from([SHARD_MANIFEST, *sorted(shards.files)]))
    if name == SHARD_MANIFEST and data.draw(st.booleans()):
        content = as_json(data.draw(altered_json(json.loads(shards.files[name]))))
    else:
        content = data.draw(st.one_of(altered_bytes(shards.files[name]), st.none()))
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)

    def add():
        searcher = Searcher(PixelEncoder())
        searcher.gallery.add_shards(folder)
        return searcher

    read = attempt(lambda: list(read_shard_set(folder)), *shards.files, 'shards')
    added = attempt(add, *shards.files, 'shards', 'block of features')
    if read is not REFUSED and added is not REFUSED:
        assert len(added) == len({image.path for shard in read for image in shard.images})
        for shard in read:
            assert torch.allclose(shard.features.norm(dim=1), torch.ones(len(shard.features)))


def test_what_is_put_back_is_whole(gallery, shards, expected):
    assert search(gallery()) == expected
    assert len(list(read_shard_set(shards()))) == 2


@fuzz(60, rest=JSON, name=st.sampled_from(['index', 'encoder', 'modules', 'built', 'fingerprint', 'shards', 'format']))
def test_entries_of_any_kind(gallery, rest, name):
    folder = gallery()
    content = json.loads((folder / MANIFEST).read_bytes())
    write_sealed(folder / MANIFEST, {key: part for key, part in {**content, name: rest}.items() if key != 'sha256'})
    attempt(lambda: search(folder), *gallery.files, folder.name, *MISTAKES)
