"""Ranking from whatever candidates an index gives, against one stable sort."""

import pytest
import torch
from galleries import clustered, make_store

from mmtbps.evaluation import NeighborJaccard
from mmtbps.search import ExactIndex, RowFilter, VectorIndex
from mmtbps.search.ranking import rank, rerank

SIZE, DIM = 120, 4


class LastRowFirst(VectorIndex):
    """Gives the nearest rows, more of them than are wanted, with gaps and the last row first."""

    oversampling = 3

    def sync(self, store, folder):
        pass

    def find(self, store, queries, count, row_filter):
        found = ExactIndex().search(store, queries, count, row_filter).sort(dim=1, descending=True).values
        return torch.cat([torch.full((len(found), 2), -1), found], dim=1)


@pytest.fixture(params=[ExactIndex(), LastRowFirst()], ids=lambda index: type(index).__name__)
def index(request):
    return request.param


@pytest.fixture
def store():
    """Few directions, of which all cosines are exact: duplicates, and neighbours at one distance."""
    rng = torch.Generator().manual_seed(0)
    directions = torch.cat([torch.cartesian_prod(*DIM * [torch.tensor([0.5, -0.5])]), torch.eye(DIM)])
    return make_store(directions[torch.randint(0, len(directions), (SIZE,), generator=rng)], 50)


@pytest.mark.parametrize('topk', [1, 4, 100])
def test_equal_images_keep_gallery_order(store, index, topk):
    queries, features = clustered(5, DIM, seed=7), store.take(torch.arange(SIZE))
    answers = rank(store, index, queries, topk, RowFilter(store))
    for query, (rows, scores, cosines) in zip(queries, answers, strict=True):
        expected = (features * query).sum(dim=1)
        best = expected.argsort(descending=True, stable=True)[:topk]
        assert rows.tolist() == best.tolist()
        assert torch.equal(scores, expected[best])
        assert torch.equal(cosines, scores)


def test_a_reranker_gets_candidates_in_gallery_order(store, index):
    """Whose neighbours at one distance count depends on it."""
    reranker, queries = NeighborJaccard(weight=1.0), clustered(5, DIM, seed=7)
    similarity = reranker.prepare(queries, store.take(torch.arange(SIZE)))(torch.arange(5))
    for expected, answer in zip(similarity, rerank(store, index, queries, 30, RowFilter(store), reranker), strict=True):
        rows, scores, _ = answer
        torch.testing.assert_close(scores, expected.sort(descending=True).values[:30])
        torch.testing.assert_close(scores, expected[rows])
