import cv2
import numpy as np
import pytest
import torch

from mmtbps.evaluation import Features, save_features
from mmtbps.visualization import draw_ranked_lists, draw_ranking


@pytest.fixture
def images(tmp_path):
    paths = []
    for index in range(4):
        path = tmp_path / f'{index}.png'
        cv2.imwrite(str(path), np.full((60, 20, 3), 60 * index, np.uint8))
        paths.append(str(path))
    return paths


def test_right_answers_are_framed_green_and_wrong_ones_red(images, tmp_path):
    out = tmp_path / 'folder' / 'ranking.png'
    picture = draw_ranking('a woman in a red coat', images[:2], [0.9, 0.8], [True, False], out)
    colours = {tuple(colour) for colour in picture.reshape(-1, 3)}
    assert (0x1A, 0x98, 0x50) in colours
    assert (0xD7, 0x30, 0x27) in colours
    assert out.is_file()


def test_without_knowledge_frames_are_grey(images):
    colours = {tuple(colour) for colour in draw_ranking('a man', images, [0.4, 0.3, 0.2, 0.1]).reshape(-1, 3)}
    assert (0xD7, 0x30, 0x27) not in colours


def test_lists_of_different_length_are_refused(images):
    with pytest.raises(ValueError, match='same length'):
        draw_ranking('a man', images, [0.5])


def test_lists_of_a_dump_show_the_best_images(images, tmp_path, monkeypatch):
    eye = torch.eye(4)
    captions = ['three', 'two', 'one', 'zero']
    features = tmp_path / 'features.npz'
    save_features(
        features, Features(eye, torch.arange(4), images, 2 * eye.flip(0), captions, torch.arange(4).flip(0), {})
    )
    drawn = []
    monkeypatch.setattr('mmtbps.visualization.ranked_list.draw_ranking', lambda *args: drawn.append(args))
    files = draw_ranked_lists(features, tmp_path / 'out', num_queries=2, topk=2)
    assert [file.name for file in files] == ['query_00000.png', 'query_00003.png']
    assert [(args[0], args[1][0], args[3][0]) for args in drawn] == [
        ('three', images[3], True), ('zero', images[0], True),
    ]  # fmt: skip
