import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmtbps.evaluation import Features
from mmtbps.evaluation.feature_file import save_features
from mmtbps.visualization import draw_embedding_map, project_to_plane

TOOL = Path(__file__).parents[2] / 'tools' / 'analysis_tools' / 'draw_embeddings.py'


@pytest.fixture
def groups():
    """Twenty features around each of three directions."""
    rng = np.random.default_rng(0)
    centres = np.eye(8)[:3]
    return np.concatenate([centre + 0.05 * rng.normal(size=(20, 8)) for centre in centres]).astype(np.float32)


def test_pca_is_the_svd_of_centred_directions(groups):
    unit = groups / np.linalg.norm(groups, axis=1, keepdims=True)
    centred = unit - unit.mean(0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    found = project_to_plane(3 * groups)
    np.testing.assert_allclose(np.abs(found), np.abs(u[:, :2] * s[:2]), atol=1e-5)
    np.testing.assert_array_equal(found, project_to_plane(3 * groups))


@pytest.mark.parametrize('method', ['pca', 'tsne'])
def test_groups_stay_apart(groups, method):
    if method == 'tsne':
        pytest.importorskip('sklearn')
    points = project_to_plane(groups, method)
    centres = points.reshape(3, 20, 2).mean(1)
    nearest = np.linalg.norm(points[:, None] - centres, axis=2).argmin(1)
    np.testing.assert_array_equal(nearest, np.repeat(np.arange(3), 20))


def write_features(path, groups):
    features = torch.from_numpy(groups)
    persons, rows = torch.tensor([7, 8, 9]).repeat_interleave(20), torch.arange(60)[::2]
    save_features(path, Features(features, persons, ['x'] * 60, features[::2], ['a man'] * 30, rows, {}))
    return path


def test_tool_draws_the_persons_asked_for(groups, tmp_path):
    features = write_features(tmp_path / 'features.npz', groups)
    runpy.run_path(str(TOOL))['main']([str(features), str(tmp_path / 'out' / 'map.png'), '--persons', '2'])
    picture = cv2.imread(str(tmp_path / 'out' / 'map.png'))[..., ::-1]
    np.testing.assert_array_equal(picture, draw_embedding_map(features, num_persons=2))
    colours = {tuple(colour) for colour in picture.reshape(-1, 3)}
    # The first two colours of tab20, and not the third.
    assert {(31, 119, 180), (174, 199, 232)} <= colours
    assert (255, 127, 14) not in colours


def test_bad_arguments_are_named(groups, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match='method must be one of'):
        project_to_plane(groups, 'umap')
    with pytest.raises(ValueError, match='at least three'):
        project_to_plane(groups[:2])
    with pytest.raises(ValueError, match='num_persons'):
        draw_embedding_map(write_features(tmp_path / 'f.npz', groups), num_persons=0)
    monkeypatch.setitem(sys.modules, 'sklearn.manifold', None)
    with pytest.raises(ImportError, match='scikit-learn'):
        project_to_plane(groups, 'tsne')
