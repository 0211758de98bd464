"""The indexes of FAISS and Milvus against exact search; what all of them share."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from galleries import append, clustered, make_store, publish, recall

from mmtbps.registry import INDEXES
from mmtbps.search import ExactIndex, GalleryStore, RowFilter, parse_where
from mmtbps.search.indexes import MilvusIndex, optional

EXACT = [dict(type='ExactIndex'), dict(type='FaissFlat')]
APPROXIMATE = [
    dict(type='FaissHNSW', neighbors=16),
    dict(type='FaissIVFPQ', bytes_per_vector=16, lists=8, probes=6),
    dict(type='MilvusIndex'),
]
SIZE = 600


@pytest.fixture(params=[*EXACT, *APPROXIMATE], ids=lambda config: config['type'])
def config(request):
    return request.param


@pytest.fixture
def build(config):
    made = []

    def build(**changes):
        made.append(INDEXES.build({**config, **changes}))
        return made[-1]

    yield build
    for index in made:
        index.close()


def check(index, store, conditions=()):
    """Recall of the ten nearest: all of them for an exact index, nearly all for another."""
    row_filter = RowFilter(store, parse_where(conditions))
    queries = clustered(40, seed=7)
    found = index.search(store, queries, 10, row_filter)
    allowed = torch.cat([row_filter.rows, torch.tensor([-1])])
    assert torch.isin(found, allowed).all()
    expected = ExactIndex().search(store, queries, 10, row_filter)
    assert recall(found, expected) >= (1 if index.exact else 0.9)
    return found


def test_finds_the_nearest_as_the_gallery_changes(build):
    index = build()
    store = make_store(clustered(SIZE), 256)
    index.sync(store, None)
    check(index, store)
    check(index, store, 'number >= 300')
    check(index, store, {'number': list(range(20, 40))})
    append(store, clustered(90, seed=3))
    store.remove([f'/{row}.png' for row in range(0, SIZE, 3)])
    index.sync(store, None)
    check(index, store)
    check(index, store, ['number != 4', 'number < 500'])
    store.remove([f'/{row}.png' for row in range(1, SIZE, 3)])
    index.sync(store, None)
    assert (check(index, store)[:, :10] >= 0).all()


@pytest.mark.parametrize(
    'config',
    [
        dict(type='FaissHNSW', neighbors=12, ef_search=16),
        dict(type='FaissIVFPQ', bytes_per_vector=32, lists=64, probes=4, oversampling=8),
    ],
    ids=lambda config: config['type'],
)
def test_a_filter_costs_no_recall(config):
    store, index = make_store(clustered(4000), 4000), INDEXES.build(config)
    index.sync(store, None)
    found = {}
    for where in ('', 'number < 500'):
        row_filter, queries = RowFilter(store, parse_where(where or None)), clustered(60, seed=7)
        rows = index.search(store, queries, 10, row_filter)
        found[where] = recall(rows, ExactIndex().search(store, queries, 10, row_filter))
    assert found['number < 500'] > max(0.9, found[''] - 0.05)


def test_fewer_images_than_asked_for_leave_gaps(build):
    index = build()
    store = make_store(clustered(SIZE), 256)
    index.sync(store, None)
    found = index.search(store, clustered(3), 8, RowFilter(store, parse_where('number < 5')))
    assert set(found[0].tolist()) == {0, 1, 2, 3, 4, -1}
    assert (found[:, 5:] == -1).all()


def opened(index, folder):
    """Open an index as a reader does, and tell whether it was there."""
    store = GalleryStore.load(folder)
    return store, index.load(store, folder, store.built)


def test_what_was_built_is_opened_again(build, tmp_path):
    store = make_store(clustered(SIZE), 256, folder=tmp_path)
    index = build()
    publish(index, store)
    found = check(index, store)
    index.close()
    again = build()
    store, there = opened(again, tmp_path)
    assert there != isinstance(again, ExactIndex)  # which builds nothing
    assert torch.equal(check(again, store), found)
    append(store, clustered(50, seed=3))
    store.remove(['/3.png'])
    publish(again, store)
    again.close()
    last = build()
    store, there = opened(last, tmp_path)
    assert there != isinstance(last, ExactIndex)
    found = check(last, store)
    assert (found >= SIZE).any()
    assert not (found == 3).any()


def test_milvus_lite_builds_a_cut_index_again(tmp_path):
    store, index = make_store(clustered(SIZE), 256, folder=tmp_path), MilvusIndex()
    publish(index, store)
    found = check(index, store)
    index.close()
    files = list((tmp_path / 'milvus.db').rglob('indexes/*.idx'))
    assert files
    for file in files:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    again = MilvusIndex()
    store, there = opened(again, tmp_path)
    assert there
    assert torch.equal(check(again, store), found)
    again.close()


def test_milvus_lite_may_write_its_index_late(monkeypatch):
    """Its thread writes the file in place, while the next rows may come."""
    hnsw = pytest.importorskip('milvus_lite.index.faiss_hnsw').FaissHnswIndex
    save = hnsw.save

    def slow(self, path):
        Path(path).touch()
        time.sleep(0.2)
        save(self, path)

    monkeypatch.setattr(hnsw, 'save', slow)
    store, index = make_store(clustered(SIZE), 256), MilvusIndex()
    for step in range(4):
        index.sync(store, None)
        check(index, store)
        append(store, clustered(50, seed=step))
    index.close()


def test_a_reader_keeps_what_it_has_opened(build, tmp_path):
    store, index = make_store(clustered(SIZE), 256, folder=tmp_path), build()
    publish(index, store)
    index.close()
    reader = build()
    seen, _ = opened(reader, tmp_path)
    found = check(reader, seen)
    if isinstance(reader, MilvusIndex):
        reader.close()  # an embedded database has one process
    for step in range(3):
        writer = build()
        store, _ = opened(writer, tmp_path)
        store.remove([f'/{row}.png' for row in range(step, SIZE, 5)])
        store.tidy()
        append(store, clustered(50, seed=step))
        publish(writer, store)
        writer.close()
    again = check(reader, seen)
    if not isinstance(reader, MilvusIndex):  # whose reader compares all images now
        assert torch.equal(again, found)


def test_what_was_built_for_another_gallery_is_not_trusted(build, tmp_path):
    store = make_store(clustered(SIZE), 256, folder=tmp_path / 'one')
    index = build()
    publish(index, store)
    index.close()
    other = make_store(clustered(SIZE, seed=1), 256, folder=tmp_path / 'one')
    again = build()
    assert not again.load(other, tmp_path / 'one', store.built)
    again.sync(other, tmp_path / 'one')
    check(again, other)


def test_a_gallery_in_memory_is_saved_with_its_index(build, tmp_path):
    store = make_store(clustered(SIZE), 256)
    index = build()
    index.sync(store, None)
    store.save(tmp_path)
    publish(index, store)
    index.close()
    again = build()
    store, _ = opened(again, tmp_path)
    check(again, store)


@pytest.mark.parametrize('config', [dict(type='FaissHNSW')])
@pytest.mark.parametrize('damage', ['missing', 'cut', 'altered', 'no state', 'other rows', 'elsewhere'])
def test_a_damaged_file_of_an_index_is_not_read(build, tmp_path, damage):
    store = make_store(clustered(SIZE), 256, folder=tmp_path)
    publish(build(), store)
    file, built = tmp_path / store.built['file'], dict(store.built)
    content = file.read_bytes()
    if damage == 'missing':
        file.unlink()
    elif damage == 'cut':
        file.write_bytes(content[:-9])
    elif damage == 'altered':
        file.write_bytes(content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
    elif damage == 'no state':
        built['state'] = dict(rows='all')
    elif damage == 'other rows':
        built['state'] = dict(built['state'], rows=SIZE - 1)
    else:
        built['file'] = f'../{tmp_path.name}/{built["file"]}'
    index = build()
    assert not index.load(store, tmp_path, built)
    index.sync(store, tmp_path)
    check(index, store)


def test_what_is_read_as_a_whole_needs_its_file_no_more(tmp_path):
    store = make_store(clustered(SIZE), 256, folder=tmp_path)
    config = dict(type='FaissIVFPQ', bytes_per_vector=16, lists=8, probes=6)
    publish(INDEXES.build(config), store)
    mapped, whole = INDEXES.build(config), INDEXES.build(dict(config, mapped=False))
    for index in (mapped, whole):
        assert index.load(store, tmp_path, store.built)
    assert torch.equal(check(mapped, store), check(whole, store))
    (tmp_path / store.built['file']).unlink()
    append(store, clustered(50, seed=3))
    whole.sync(store, tmp_path)
    assert (check(whole, store) >= SIZE).any()


def test_other_settings_build_anew(tmp_path):
    store = make_store(clustered(SIZE), 256, folder=tmp_path)
    for neighbors in (8, 24):
        index = INDEXES.build(dict(type='FaissHNSW', neighbors=neighbors))
        assert not index.load(store, tmp_path, store.built)
        publish(index, store)
        assert index._index.hnsw.nb_neighbors(1) == neighbors


def test_a_trained_index_learns_anew_when_outgrown():
    store = make_store(clustered(300), 300)
    index = INDEXES.build(dict(type='FaissIVFPQ', bytes_per_vector=16))
    index.sync(store, None)
    lists = index._index.nlist
    append(store, clustered(1200, seed=2))
    index.sync(store, None)
    assert index._index.nlist > 3 * lists
    check(index, store)


def test_codes_need_images_and_a_width_that_divides():
    index = INDEXES.build(dict(type='FaissIVFPQ', bytes_per_vector=16))
    with pytest.raises(ValueError, match='at least 256 images to learn its codes, got 40'):
        index.sync(make_store(clustered(40), 40), None)
    with pytest.raises(ValueError, match='must divide a feature of 30 numbers, got 16'):
        index.sync(make_store(clustered(300, dim=30), 300), None)


@pytest.mark.parametrize('name', ['FaissHNSW', 'MilvusIndex'])
def test_without_the_extra_it_is_said_what_to_install(name, monkeypatch):
    monkeypatch.setattr(optional, 'import_module', lambda module: (_ for _ in ()).throw(ImportError(module)))
    with pytest.raises(ImportError, match=rf"{name} needs .* pip install 'mmtbps\[search\]'"):
        INDEXES.build(dict(type=name))


HOLDER = """
import sys
from pymilvus import MilvusClient
client = MilvusClient(sys.argv[1])
print('open', flush=True)
sys.stdin.read()
"""


def test_an_embedded_database_tells_a_second_process_why(tmp_path):
    store, index = make_store(clustered(20), 20, folder=tmp_path), MilvusIndex()
    database = str(tmp_path / 'milvus.db')
    command = [sys.executable, '-c', HOLDER, database]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == 'open\n'
        with pytest.raises(RuntimeError, match=f'{database} cannot be opened: .* one process at a time'):
            index.sync(store, tmp_path)
        holder.stdin.close()
        holder.wait(30)
    index.sync(store, tmp_path)
    found = index.search(store, clustered(1), 20, RowFilter(store))
    index.close()
    assert set(found[0].tolist()) == set(range(20))
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == 'open\n'


def test_no_server_no_answer():
    with pytest.raises(RuntimeError, match=r'There is no answer from Milvus at http://127.0.0.1:9'):
        MilvusIndex('http://127.0.0.1:9').sync(make_store(clustered(20), 20), None)
