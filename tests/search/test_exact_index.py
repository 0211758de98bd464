import torch
from galleries import make_store, plain_search
from hypothesis import given, settings
from hypothesis import strategies as st

from mmtbps.search import ExactIndex, RowFilter, parse_where


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
    found = index.search(store, queries, count, RowFilter(store))
    allowed = [row for row in range(size) if row not in removed]
    assert torch.equal(found, plain_search(features, queries, count, allowed))
    if allowed:
        found = index.search(store, queries, count, RowFilter(store, parse_where(f'number < {limit}')))
        assert torch.equal(found, plain_search(features, queries, count, [row for row in allowed if row < limit]))
