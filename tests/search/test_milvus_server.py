"""MilvusIndex on a real server, which comes with the package ``milvus``."""

import subprocess
import sys
import tempfile
from importlib.util import find_spec

import pytest
import torch
from galleries import PRINT, append, clustered, make_store, recall
from tiny_search import PixelEncoder

from mmtbps.search import Condition, ExactIndex, GalleryImage, GalleryStore, RowFilter, Searcher, parse_where
from mmtbps.search.indexes import MilvusIndex
from mmtbps.search.ranking import rank
from mmtbps.search.shards import Shard

pytestmark = pytest.mark.skipif(
    find_spec('milvus') is None, reason='there is no Milvus server: python -m pip install --no-deps milvus'
)

# Ends with the tests, however they end: then nothing holds its input open any more.
SERVER = """
import socket, sys, milvus

def bound(self, port):
    try:
        return socket.create_server(('127.0.0.1', port))  # unlike milvus's own, also where one was a moment ago
    except OSError:
        return None

folder, port = sys.argv[1:]
milvus.MilvusServerConfig.try_bind_port = bound
config = milvus.MilvusServerConfig(data_dir=folder, **({'proxy_port': port} if port else {}))
# How long a new server waits for the parts of one that was killed, and how often parts look for work.
for name, value in {'common.session.ttl': 3, 'queryCoord.checkInterval': 100, 'queryCoord.distPullInterval': 50,
                    'queryCoord.checkHandoffInterval': 500, 'dataCoord.segment.assignmentExpiration': 200}.items():
    config.set(name, value)
server = milvus.MilvusServer(config)
server.start()
print(server.listen_port, flush=True)
sys.stdin.read()
server.stop()
"""


class Server:
    """A Milvus server that can be stopped and started again; it keeps its port and its data."""

    def __init__(self, folder):
        self.folder, self.port, self.process = folder, '', None
        self.start()

    @property
    def uri(self):
        return f'http://127.0.0.1:{self.port}'

    def start(self):
        command = [sys.executable, '-c', SERVER, self.folder, self.port]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = self.process.stdout.readline().strip()
        assert self.port, 'the Milvus server did not start'

    def stop(self):
        self.process.communicate(timeout=60)


@pytest.fixture(scope='session')
def server():
    with tempfile.TemporaryDirectory() as folder:  # has its 380 MB for itself
        server = Server(folder)
        yield server
        server.stop()


@pytest.fixture
def build(server):
    made = []

    def build(**changes):
        made.append(MilvusIndex(**{'uri': server.uri, **changes}))
        return made[-1]

    yield build
    for index in made:
        index.close()


def answers(index, store, queries, count=10, where=None):
    """Rows, scores and cosines of every query."""
    return rank(store, index, queries, count, RowFilter(store, parse_where(where)))


def assert_same(index, store, queries, count=10, where=None):
    """As exact search answers."""
    expected = answers(ExactIndex(), store, queries, count, where)
    for found, best in zip(answers(index, store, queries, count, where), expected, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(found, best, strict=True))


def rows_on_server(index):
    told = index._client.query(index.name, filter='row >= 0', output_fields=['row'], consistency_level='Strong')
    return {one['row'] for one in told}


def test_a_small_gallery_is_searched_as_exactly_as_by_exact_search(build):
    store, index = make_store(clustered(600), 256), build()
    index.sync(store, None)
    for count in (1, 10, 100, 600):
        assert_same(index, store, clustered(20, seed=7), count)


def test_it_follows_the_gallery(build):
    store, index = make_store(clustered(600), 256), build()
    index.sync(store, None)
    append(store, clustered(90, seed=3))
    store.remove(f'/{row}.png' for row in range(0, 690, 3))
    index.sync(store, None)
    index.published(store)
    alive = {row for row in range(690) if row % 3}
    assert rows_on_server(index) == alive
    assert_same(index, store, clustered(20, seed=7), 10)
    assert_same(index, store, clustered(20, seed=7), len(alive))


VALUES = ['plain', 'Tür', '一号', '" or 1 == 1 or "', '\\', '', '3', 'x' * 300, 3, 2.5, -1, True, 2**53 + 1, 2**70]
NAMES = ['camera', 'Straße', 'a "b"', '']


def test_filters_of_all_kinds(build):
    metadata = [*({name: value} for name in NAMES for value in VALUES), {}, dict(other=1)]
    store, index = GalleryStore(PRINT), build(exact_below=0)
    images = [GalleryImage(f'/{row}.png', 1, 1, facts) for row, facts in enumerate(metadata)]
    store.append(Shard(clustered(len(images)), images, PRINT))
    index.sync(store, None)
    asked = [
        Condition(name, sign, (value, 'plain', 3) if sign == 'in' else value)
        for name in NAMES
        for sign in ('=', '!=', '<', '<=', '>', '>=', 'in')
        for value in VALUES[:11]
    ]
    for condition in asked:
        found = index.search(store, clustered(1), len(images), RowFilter(store, [condition]))
        assert {row for row in found[0].tolist() if row >= 0} == {
            row for row, facts in enumerate(metadata) if condition.holds(facts)
        }


def test_filters_cost_no_recall(build):
    """Also those that exclude all that is near the query; Milvus's index has more than a thousand rows."""
    features, query = clustered(4000), clustered(1, seed=7)
    features = features[(features @ query[0]).argsort()]  # the least similar ones come first
    store, index = make_store(features, 4000), build(exact_below=0)
    index.sync(store, None)
    for last in (3800, 2000, 400, 40):
        assert_same(index, store, query, 10, f'number < {last}')
    queries = clustered(40, seed=11)
    expected = ExactIndex().search(store, queries, 10, RowFilter(store))
    assert recall(index.search(store, queries, 10, RowFilter(store)), expected) > 0.98
    for where in ('number >= 2000', 'number >= 3600', 'number >= 3960'):
        row_filter = RowFilter(store, parse_where(where))
        expected = ExactIndex().search(store, queries, 10, row_filter)
        assert recall(index.search(store, queries, 10, row_filter), expected) > 0.98


def test_two_galleries_share_a_server(build):
    first, second = make_store(clustered(300), 300), make_store(clustered(500, seed=5), 500)
    indexes = [build(), build()]
    for index, store in zip(indexes, (first, second), strict=True):
        index.sync(store, None)
    assert_same(indexes[0], first, clustered(5, seed=7), 300)
    assert_same(indexes[1], second, clustered(5, seed=7), 500)
    indexes[0].close()
    assert rows_on_server(indexes[1]) == set(range(500))


def test_settings_of_the_index_reach_the_server(build):
    store, index = make_store(clustered(600), 600), build(index_type='IVF_FLAT', index_params=dict(nlist=16))
    index.sync(store, None)
    assert index.search_params == {}
    told = index._client.describe_index(index.name, 'vector')
    assert (told['index_type'], str(told['nlist'])) == ('IVF_FLAT', '16')
    assert_same(index, store, clustered(5, seed=7))


def test_a_gallery_outlives_its_server(server, crops, tmp_path, monkeypatch, capfd):
    """Down, every search says so in one sentence; up again, nothing needs to be built again."""
    searcher = Searcher(PixelEncoder(), dict(type='MilvusIndex', uri=server.uri))
    searcher.index(crops, tmp_path / 'gallery', num_workers=0, progress=False)
    expected = searcher.search('a man', topk=12)
    server.stop()
    capfd.readouterr()
    try:
        with pytest.raises(RuntimeError, match=rf'^Milvus at {server.uri} did not .* Check that the server') as error:
            searcher.search('a man', topk=12)
        assert '\n' not in str(error.value)
        with pytest.raises(RuntimeError, match=rf'Milvus at {server.uri} .*Check .*that the server runs'):
            Searcher.load(tmp_path / 'gallery', PixelEncoder(), index=dict(uri=server.uri))
        assert capfd.readouterr() == ('', '')
    finally:
        server.start()
    monkeypatch.setattr(MilvusIndex, '_create', None)
    opened = Searcher.load(tmp_path / 'gallery', PixelEncoder(), index=dict(uri=server.uri))
    assert opened.search('a man', topk=12) == searcher.search('a man', topk=12) == expected
    assert len(rows_on_server(opened.gallery.vectors)) == 12
    opened.close()
    searcher.close()


def test_a_beam_is_as_wide_as_what_is_asked_for(build):
    """Milvus refuses an ``ef`` below the number of rows."""
    store, index = make_store(clustered(1500), 1500), build(search_params=dict(ef=16))
    index.sync(store, None)
    assert (index.search(store, clustered(3, seed=7), 700, RowFilter(store)) >= 0).sum(dim=1).tolist() == [700] * 3
    assert build().search_params == dict(ef=512)
    assert MilvusIndex().search_params == {}  # Milvus Lite
