"""Parity with the paper's public code.

``MMTBPS_REFERENCE_VECTORS`` points these tests at another folder of the same layout.
"""

import numpy as np
import pytest
import torch
from reference_vectors import FOLDER

from mmtbps.evaluation import functional

# ---------------------------------------------------------------------------------------------------------------------
# Retrieval: ranking and the paper's re-ranking


@pytest.fixture(scope='module')
def retrieval():
    with np.load(FOLDER / 'retrieval.npz') as file:
        return {name: torch.as_tensor(file[name]) for name in file.files}


def _direction(retrieval, name):
    """Query features, query ids, gallery features, gallery ids."""
    text, image = ((retrieval[f'{m}_feats'], retrieval[f'{m}_pids']) for m in ('text', 'image'))
    return (*text, *image) if name == 't2i' else (*image, *text)


def _assert_figures(found, retrieval, row):
    expected = [*retrieval[f'{row}_cmc'].tolist(), retrieval[f'{row}_mAP'].item()]
    assert [found[name] for name in ('R@1', 'R@5', 'R@10', 'mAP')] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize('name', ['t2i', 'i2t'])
def test_ranking(retrieval, name):
    query, query_pids, gallery, gallery_pids = _direction(retrieval, name)
    _assert_figures(functional.rank_metrics(query @ gallery.T, query_pids, gallery_pids), retrieval, name)
    _assert_figures(functional.rank_features(query, query_pids, gallery, gallery_pids), retrieval, name)


@pytest.mark.parametrize('name', ['t2i', 'i2t'])
def test_neighbor_jaccard(retrieval, name):
    query, query_pids, gallery, gallery_pids = _direction(retrieval, name)
    added = 0.05 * functional.neighbor_jaccard(query, gallery, k=5)
    np.testing.assert_allclose(added, retrieval[f'rerank_{name}_add'], rtol=0, atol=1e-6)
    figures = functional.rank_metrics(query @ gallery.T + added, query_pids, gallery_pids)
    _assert_figures(figures, retrieval, f'{name}_rerank')
