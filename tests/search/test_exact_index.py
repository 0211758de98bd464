import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmtbps.search import ExactIndex, Fingerprint, GalleryImage, GalleryStore, Selection, parse_where
from mmtbps.search.shards import Shard

PRINT = Fingerprint('weights', 'model', 'preprocessing')


def make_store(features, block_size, removed=()):
    store = GalleryStore(PRINT)
    for start in range(0, len(features), block_size):
        part = features[start : start + block_size]
        images = [GalleryImage(f'/{start + row}.png', 1, 1, dict(number=start + row)) for row in range(len(part))]
        store.append(Shard(part, images, PRINT))
    store.remove(f'/{row}.png' for row in removed)
    return store


def plain_search(features, queries, count, allowed):
    """One stable sort a query."""
    found = torch.full((len(queries), count), -1)
    for number, query in enumerate(queries):
        scores = [(-float(query @ features[row]), row) for row in allowed]
        best = [row for _, row in sorted(scores)][:count]
        found[number, : len(best)] = torch.tensor(best, dtype=torch.int64)
    return found


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_finds_what_a_sort_finds(data):
    size = data.draw(st.integers(1, 40))
    # Small whole numbers: exact products, and many ties.
    features = torch.randint(-2, 3, (size, 3), generator=torch.Generator().manual_seed(size)).float()
    queries = torch.tensor([[1.0, 0, 0], [1, -1, 2], [0, 0, 0]])
    removed = data.draw(st.sets(st.integers(0, size - 1)))
    limit = data.draw(st.integers(0, size))
    store = make_store(features, data.draw(st.integers(1, 15)), removed)
    count = data.draw(st.integers(1, 12))
    index = ExactIndex(chunk_size=data.draw(st.integers(1, 20)))
    found = index.search(store, queries, count, Selection(store))
    allowed = [row for row in range(size) if row not in removed]
    assert torch.equal(found, plain_search(features, queries, count, allowed))
    if allowed:
        found = index.search(store, queries, count, Selection(store, parse_where(f'number < {limit}')))
        assert torch.equal(found, plain_search(features, queries, count, [row for row in allowed if row < limit]))
