"""Equal rows of a gallery against a plain search for them."""

import pytest
import torch
from galleries import make_store
from hypothesis import given, settings
from hypothesis import strategies as st

from mmtbps.search.indexes.copies import Copies

KINDS = torch.nn.functional.normalize(torch.randn(6, 8, generator=torch.Generator().manual_seed(0)), dim=1)


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=14), st.data())
def test_equal_rows_are_found_and_answered_with(kinds, data):
    copies = Copies.find(make_store(KINDS[kinds], 5))
    firsts = [row for row, kind in enumerate(kinds) if kind not in kinds[:row]]
    assert copies.rows.tolist() == firsts
    mask = torch.tensor(data.draw(st.lists(st.booleans(), min_size=len(kinds), max_size=len(kinds))))
    allowed = {kind for kind, may in zip(kinds, mask.tolist(), strict=True) if may}
    assert copies.choose(mask.numpy()).tolist() == [kinds[row] in allowed for row in firsts]
    places = torch.tensor(data.draw(st.lists(st.integers(-1, len(firsts) - 1), min_size=2, max_size=2, unique=True)))
    found = copies.expand(places[:, None])
    for place, line in zip(places.tolist(), found.tolist(), strict=True):
        wanted = [row for row, kind in enumerate(kinds) if place >= 0 and kind == kinds[firsts[place]]]
        assert sorted(row for row in line if row >= 0) == wanted
    again = Copies.of(len(kinds), copies.groups)
    assert again.rows.tolist() == firsts
    assert torch.equal(again.expand(places[:, None]), found)


@pytest.mark.parametrize('data', [None, 7, [3], [[]], [[0, 9]], [[0, 1], [1, 2]], [[0, -1]], [[0, 1.0]], [['0', 1]]])
def test_groups_that_are_none_are_not_taken(data):
    assert Copies.of(4, data) is None
