"""The indexes of FAISS and Milvus against exact search; what all of them share."""

import subprocess
import sys

import pytest
import torch
from galleries import append, clustered, make_store, recall

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


def test_what_was_built_is_opened_again(build, tmp_path, monkeypatch):
    make_store(clustered(SIZE), 256, folder=tmp_path)
    store = GalleryStore.load(tmp_path)
    index = build()
    index.sync(store, tmp_path)
    found = check(index, store)
    index.close()
    again = build()
    for name in ('make', '_create'):
        if hasattr(again, name):
            monkeypatch.setattr(again, name, None)
    again.sync(GalleryStore.load(tmp_path), tmp_path)
    assert torch.equal(check(again, store), found)
    append(store, clustered(50, seed=3))
    again.sync(store, tmp_path)
    again.close()
    last = build()
    last.sync(GalleryStore.load(tmp_path), tmp_path)
    assert (check(last, store) >= SIZE).any()


def test_what_was_built_for_another_gallery_is_not_trusted(build, tmp_path):
    for seed in (0, 1):
        # A gallery that was removed but for what an index left in its folder.
        (tmp_path / 'index.json').unlink(missing_ok=True)
        store = make_store(clustered(SIZE, seed=seed), 256, folder=tmp_path)
        index = build()
        index.sync(store, tmp_path)
        check(index, store)
        index.close()


def test_a_gallery_in_memory_is_saved_with_its_index(build, tmp_path):
    store = make_store(clustered(SIZE), 256)
    index = build()
    index.sync(store, None)
    store.save(tmp_path)
    index.sync(store, tmp_path)
    index.close()
    again = build()
    again.sync(GalleryStore.load(tmp_path), tmp_path)
    check(again, store)


def test_what_is_read_as_a_whole_needs_its_file_no_more(tmp_path):
    store = make_store(clustered(SIZE), 256, folder=tmp_path)
    config = dict(type='FaissIVFPQ', bytes_per_vector=16, lists=8, probes=6)
    INDEXES.build(config).sync(store, tmp_path)
    mapped, whole = INDEXES.build(config), INDEXES.build(dict(config, mapped=False))
    for index in (mapped, whole):
        index.sync(store, tmp_path)
    assert torch.equal(check(mapped, store), check(whole, store))
    (tmp_path / 'FaissIVFPQ.faiss').unlink()
    append(store, clustered(50, seed=3))
    whole.sync(store, tmp_path)
    assert (check(whole, store) >= SIZE).any()


def test_other_settings_build_anew(tmp_path):
    store = make_store(clustered(SIZE), 256, folder=tmp_path)
    for neighbors in (8, 24):
        index = INDEXES.build(dict(type='FaissHNSW', neighbors=neighbors))
        index.sync(store, tmp_path)
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


def test_a_collection_that_is_not_of_this_gallery_is_left_alone(tmp_path):
    address = str(tmp_path / 'shared.db')
    index, other = MilvusIndex(address), MilvusIndex(address)
    index.sync(make_store(clustered(20), 20), None)
    with pytest.raises(ValueError, match="already has a collection 'mmtbps_gallery'"):
        other.sync(make_store(clustered(30), 30), None)
    index.close()
    other.close()


def test_no_server_no_answer():
    with pytest.raises(RuntimeError, match=r'There is no answer from Milvus at http://127.0.0.1:9'):
        MilvusIndex('http://127.0.0.1:9').sync(make_store(clustered(20), 20), None)
