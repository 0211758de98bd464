"""Generations of a gallery: what readers see of an update, what is removed when, and what is damaged."""

import json

import pytest
import torch
from galleries import PRINT, append, clustered, make_store
from tiny_search import PixelEncoder

from mmtbps.search import GalleryImage, GalleryStore, Searcher
from mmtbps.search.generations import verify_gallery
from mmtbps.search.shards import Shard
from mmtbps.search.store import BLOCK

SENTENCE = 'a man'


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file())


def content(store):
    """Live images and their features, in gallery order."""
    rows = torch.from_numpy(store.alive).nonzero()[:, 0]
    return [store.images[row] for row in rows.tolist()], store.take(rows)


def assert_same(store, other):
    (images, features), (other_images, other_features) = content(store), content(other)
    assert images == other_images
    assert torch.equal(features, other_features)


def replace(store, numbers, seed):
    """New files in the place of images."""
    features = clustered(len(numbers), seed=seed)
    images = [GalleryImage(f'/{number}.png', 1, seed, dict(number=number)) for number in numbers]
    store.append(Shard(features, images, PRINT))


def test_an_update_is_seen_as_a_whole_or_not_at_all(tmp_path):
    store = make_store(clustered(40), 16, folder=tmp_path)
    store.publish({})
    before = GalleryStore.load(tmp_path)
    store.remove(['/3.png', '/20.png'])
    replace(store, range(8), seed=1)
    append(store, clustered(9, seed=2))
    assert_same(GalleryStore.load(tmp_path), before)
    store.publish({})
    assert_same(GalleryStore.load(tmp_path), store)
    assert before.outdated()
    assert not store.outdated()


def test_nothing_new_is_no_generation(tmp_path):
    store = make_store(clustered(20), 16, folder=tmp_path)
    store.publish({})
    manifest = (tmp_path / 'index.json').stat()
    store.publish({})
    again = GalleryStore.load(tmp_path)
    again.publish({})
    assert (tmp_path / 'index.json').stat() == manifest
    assert again.generation == 1


def test_fifty_cycles_leave_no_heap_of_rows_and_files(tmp_path):
    plain = {}
    store = GalleryStore(PRINT, tmp_path)
    for cycle in range(50):
        numbers = range(400) if cycle == 0 else range(8 * cycle % 400, 8 * cycle % 400 + 100)
        numbers = [number % 400 for number in numbers]
        replace(store, numbers, seed=cycle)
        for number, feature in zip(numbers, clustered(len(numbers), seed=cycle), strict=True):
            plain.pop(number, None)
            plain[number] = feature
        store.tidy()
        store.publish({})
        assert store.num_rows <= 600
    again = GalleryStore.load(tmp_path)
    assert_same(again, store)
    images, features = content(again)
    assert [image.metadata['number'] for image in images] == list(plain)
    assert torch.equal(features, torch.stack(list(plain.values())))
    assert len(files(tmp_path)) < 50


def test_small_blocks_are_put_together_and_rows_keep_their_numbers(tmp_path):
    store = make_store(clustered(2000), 2000, folder=tmp_path)
    for step in range(40):
        replace(store, [step, 3000 + step], seed=step)
    identity, (images, features) = store.identity, content(store)
    rows, alive = {path: store.row(path) for path in store.paths()}, store.alive.copy()
    store.tidy()
    store.publish({})
    assert (store.identity, {path: store.row(path) for path in store.paths()}) == (identity, rows)
    for kept in (store, GalleryStore.load(tmp_path)):
        assert (kept.alive == alive).all()
        assert content(kept)[0] == images
        assert torch.equal(content(kept)[1], features)
    assert files(tmp_path) == ['features/000000.safetensors', 'features/000041.safetensors', 'index.json']


def test_a_gallery_in_memory_is_tidied_too():
    store = make_store(clustered(3 * BLOCK), BLOCK)
    store.remove(f'/{row}.png' for row in range(0, 2 * BLOCK))
    images, features = content(store)
    store.tidy()
    assert store.num_rows == len(store) == BLOCK
    assert content(store)[0] == images
    assert torch.equal(content(store)[1], features)


def test_files_stay_for_one_more_generation(tmp_path):
    store = make_store(clustered(40), 40, folder=tmp_path)
    store.publish({})
    first = 'features/000000.safetensors'
    store.remove([f'/{row}.png' for row in range(30)])
    store.tidy()
    store.publish({})
    assert first in files(tmp_path)
    append(store, clustered(1, seed=4))
    store.publish({})
    assert first not in files(tmp_path)


def test_a_reader_that_was_overtaken_reads_again(tmp_path, monkeypatch):
    store = make_store(clustered(40), 40, folder=tmp_path)
    store.publish({})
    opened = GalleryStore._open.__func__

    def overtaken(cls, folder, manifest):
        if manifest.content['generation'] < 4:  # the files of the manifest go before they are opened
            store.remove([store.paths()[0]])
            replace(store, range(20), seed=store.generation)
            store.tidy()
            store.publish({})
            store.remove([store.paths()[0]])
            store._rearrange(0, torch.from_numpy(store.alive).nonzero()[:, 0].numpy())
            store.publish({})
            store.publish({})
        return opened(cls, folder, manifest)

    monkeypatch.setattr(GalleryStore, '_open', classmethod(overtaken))
    assert_same(GalleryStore.load(tmp_path), store)
    assert store.generation >= 4


def flip(file, place):
    data = bytearray(file.read_bytes())
    data[place] ^= 4
    file.write_bytes(data)


@pytest.mark.parametrize('name', ['features/000000.safetensors', 'index/FaissHNSW_000001.faiss', 'index.json'])
def test_a_flipped_bit_is_noticed(tmp_path, crops, name):
    searcher = Searcher(PixelEncoder(), 'FaissHNSW')
    searcher.index(crops, tmp_path / 'g', num_workers=0, progress=False)
    expected = searcher.search(SENTENCE, topk=5)
    assert verify_gallery(tmp_path / 'g') == []
    flip(tmp_path / 'g' / name, -30 if name == 'index.json' else 2000)
    if name == 'index.json':
        with pytest.raises(ValueError, match=r'index\.json was changed after it was written|index\.json is damaged'):
            Searcher.load(tmp_path / 'g')
        return
    (told,) = verify_gallery(tmp_path / 'g')
    assert f'{name} was changed after it was written: its checksum differs' in told
    if name.startswith('features'):
        with pytest.raises(ValueError, match='its checksum differs'):
            Searcher.load(tmp_path / 'g')
    else:  # which is built again, in memory
        assert Searcher.load(tmp_path / 'g', PixelEncoder()).search(SENTENCE, topk=5) == expected


def test_readers_write_nothing(tmp_path, crops):
    Searcher(PixelEncoder(), 'FaissFlat').index(crops, tmp_path / 'g', num_workers=0, progress=False)
    before = {name: (tmp_path / 'g' / name).stat().st_mtime_ns for name in files(tmp_path / 'g')}
    for index in (None, 'FaissHNSW', 'ExactIndex'):
        assert Searcher.load(tmp_path / 'g', PixelEncoder(), index=index).search(SENTENCE, topk=5)
    assert {name: (tmp_path / 'g' / name).stat().st_mtime_ns for name in files(tmp_path / 'g')} == before


def test_a_reader_asks_for_the_newest(tmp_path, crops):
    writer = Searcher(PixelEncoder(), 'FaissFlat')
    writer.index(crops / 'cam0', tmp_path / 'g', num_workers=0, progress=False)
    reader = Searcher.load(tmp_path / 'g', PixelEncoder())
    assert not reader.gallery.refresh()
    writer.index(crops / 'cam1', num_workers=0, progress=False)
    assert len(reader.search(SENTENCE, topk=4)) == 4
    assert reader.gallery.refresh()
    assert reader.search(SENTENCE, topk=8) == writer.search(SENTENCE, topk=8)


def test_an_update_that_fails_leaves_what_was_there(tmp_path, crops):
    searcher = Searcher(PixelEncoder(), 'FaissFlat')
    searcher.index(crops / 'cam0', tmp_path / 'g', num_workers=0, progress=False)
    before = searcher.search(SENTENCE, topk=4)

    def fail(images):
        if searcher.encoder.encoded == 6:
            raise RuntimeError('out of memory')
        return PixelEncoder.embed_images(searcher.encoder, images)

    searcher.encoder.embed_images = fail
    with pytest.raises(RuntimeError, match='out of memory'):
        searcher.index(crops, num_workers=0, progress=False, batch_size=1, block_size=2)
    assert len(searcher) == 4
    assert searcher.search(SENTENCE, topk=4) == before == Searcher.load(tmp_path / 'g').search(SENTENCE, topk=4)
    del searcher.encoder.embed_images
    assert searcher.index(crops, num_workers=0, progress=False).added == 6  # two were finished
    assert len(searcher) == 12


def test_several_changes_are_one_update(tmp_path, crops):
    searcher = Searcher(PixelEncoder())
    with searcher.gallery.updating(tmp_path / 'g'):
        searcher.index(crops / 'cam0', num_workers=0, progress=False)
        searcher.index(crops / 'cam1', num_workers=0, progress=False)
        assert not (tmp_path / 'g' / 'index.json').exists()
    assert Searcher.load(tmp_path / 'g').gallery.store.generation == 1
    assert len(searcher) == 8


def test_notes_of_an_interrupted_update_that_are_none_are_passed_over(tmp_path, crops):
    searcher = Searcher(PixelEncoder())
    searcher.index(crops / 'cam0', tmp_path / 'g', num_workers=0, progress=False)
    (tmp_path / 'g' / 'pending.json').write_text(json.dumps(dict(follows=[], blocks=[dict(file='/etc/passwd')])))
    assert searcher.index(crops, num_workers=0, progress=False).total == 12
    assert 'pending.json' not in files(tmp_path / 'g')
