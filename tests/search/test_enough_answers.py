"""Every index gives as many images as there are, and filters mean the same to all of them."""

import math

import pytest
import torch
from galleries import PRINT, clustered, make_store
from hypothesis import given, settings
from hypothesis import strategies as st

from mmtbps.registry import INDEXES
from mmtbps.search import Condition, GalleryImage, GalleryStore, RowFilter, VectorIndex, parse_where
from mmtbps.search.ranking import rank
from mmtbps.search.shards import Shard

APPROXIMATE = [
    dict(type='FaissHNSW', neighbors=16),
    dict(type='FaissIVFPQ', bytes_per_vector=16, lists=32, probes=2, oversampling=1),
    dict(type='MilvusIndex'),
]


@pytest.fixture(params=APPROXIMATE, ids=lambda config: config['type'])
def index(request):
    index = INDEXES.build(request.param)
    yield index
    index.close()


def check(index, store, queries, topk, where=None):
    """As many as there are, all of them allowed; those of exact search where nearly none would be found."""
    row_filter = RowFilter(store, parse_where(where))
    allowed = set(row_filter.rows.tolist())
    for rows, _, _ in rank(store, index, queries, topk, row_filter):
        assert len(rows) == len(set(rows.tolist())) == min(topk, len(allowed))
        assert set(rows.tolist()) <= allowed


def test_topk_up_to_the_whole_gallery(index):
    store = make_store(clustered(2000), 700)
    index.sync(store, None)
    for topk in (1, 10, 1000, 2000):
        check(index, store, clustered(5, seed=7), topk)


def test_filters_that_leave_out_all_that_is_near(index):
    """The persons least like the query, 15 % of the gallery: a graph does not lead there."""
    features, query = clustered(2000), clustered(1, seed=7)
    order = (features @ query[0]).argsort()
    store = make_store(features[order], 2000)  # the least similar ones come first
    index.sync(store, None)
    for topk in (10, 100, 300, 500):
        check(index, store, query, topk, 'number < 300')


def test_after_removals(index):
    store = make_store(clustered(400), 400)
    index.sync(store, None)
    store.remove([f'/{row}.png' for row in range(400) if row % 4])
    index.sync(store, None)
    check(index, store, clustered(8, seed=7), 100)
    check(index, store, clustered(8, seed=7), 60)


def test_thousands_of_equal_images(index):
    copies = clustered(1).expand(3000, -1)
    store = make_store(torch.cat([copies, clustered(400, seed=3)]), 4000)
    index.sync(store, None)
    for topk in (10, 3000, 3400):
        check(index, store, clustered(4, seed=7), topk)


@pytest.mark.parametrize(
    'index', [dict(type='FaissHNSW'), dict(type='FaissIVFPQ', bytes_per_vector=16), dict(type='MilvusIndex')],
    ids=lambda config: config['type'], indirect=True,
)  # fmt: skip
def test_thousands_of_equal_images_hide_no_others(index):
    features = torch.cat([clustered(400, seed=3), clustered(1).expand(3000, -1)])
    store, queries = make_store(features, 4000), clustered(40, seed=7)
    index.sync(store, None)
    expected = rank(store, INDEXES.build(dict(type='ExactIndex')), queries, 10, RowFilter(store))
    as_near = [
        (found >= best - 1e-6).float().mean()
        for (_, _, found), (_, _, best) in zip(rank(store, index, queries, 10, RowFilter(store)), expected, strict=True)
    ]
    assert sum(as_near) / len(as_near) > (0.97 if index.distinct else 0.9)


class Stale(VectorIndex):
    """Finds rows that are removed."""

    def sync(self, store, folder):
        pass

    def find(self, store, queries, count, row_filter):
        return (7 * torch.arange(count)).expand(len(queries), -1)


class Lazy(VectorIndex):
    """Finds nothing."""

    def sync(self, store, folder):
        pass

    def find(self, store, queries, count, row_filter):
        return torch.full((len(queries), count), -1)


@pytest.mark.parametrize('kind', [Lazy, Stale])
def test_what_an_index_misses_is_found_exactly(kind):
    store, queries = make_store(clustered(300), 100, removed=range(0, 300, 7)), clustered(6, seed=7)
    expected = rank(store, INDEXES.build(dict(type='ExactIndex')), queries, 20, RowFilter(store))
    for found, answer in zip(rank(store, kind(), queries, 20, RowFilter(store)), expected, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(found, answer, strict=True))


VALUES = [
    'plain', 'a "b"', "it's", 'back\\slash', 'Tür', '一号', '👩', 'tab\there', 'line\nbreak', '%', '" or 1 == 1 or "',
    '', 'true', 'null', '\\u0041', 'x' * 300, 'x' * 70000, '\x00', '\x7f', '\ud800', 'nan', '3', 'Z', 'z', 'é',
    'e\u0301', 3, 3.0, 2.5, -1, 0, -0.0, True, False, 2**53, 2**53 + 1, 2**70, 1e300, math.inf, -math.inf, math.nan,
    None,
]  # fmt: skip
NAMES = ['camera', 'cam "x"', 'Straße', '']


@pytest.fixture(scope='module')
def milvus():
    """A gallery with every value under every name, and some images without any."""
    metadata = [*({name: value} for name in NAMES for value in VALUES), {}, dict(other=1)]
    store = GalleryStore(PRINT)
    images = [GalleryImage(f'/{row}.png', 1, 1, facts) for row, facts in enumerate(metadata)]
    store.append(Shard(clustered(len(images)), images, PRINT))
    index = INDEXES.build(dict(type='MilvusIndex', exact_below=0))
    index.sync(store, None)
    yield store, index
    index.close()


conditions = st.builds(
    lambda name, sign, value, others: Condition(name, sign, (value, *others) if sign == 'in' else value),
    st.sampled_from(NAMES),
    st.sampled_from(['=', '!=', '<', '<=', '>', '>=', 'in']),
    st.sampled_from([value for value in VALUES if value is not None and value == value]),
    st.lists(st.sampled_from(VALUES[:40]), max_size=3),
)


@settings(max_examples=300, deadline=None)
@given(asked=st.lists(conditions, min_size=1, max_size=2))
def test_filters_mean_the_same_to_milvus(milvus, asked):
    store, index = milvus
    row_filter = RowFilter(store, asked)
    expected = {
        row for row, image in enumerate(store.images) if all(condition.holds(image.metadata) for condition in asked)
    }
    assert set(row_filter.rows.tolist()) == expected
    found = index.search(store, clustered(1), len(store.images), row_filter)
    assert {row for row in found[0].tolist() if row >= 0} == expected
