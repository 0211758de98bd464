import cv2
import numpy as np
import pytest
import torch
from search_model import write_model


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope='session')
def model_files(tmp_path_factory):
    """Config and checkpoint of a tiny retriever."""
    return write_model(tmp_path_factory.mktemp('model'))


@pytest.fixture
def crops(tmp_path):
    """A folder with twelve images of four persons, three folders for as many cameras."""
    return draw_crops(tmp_path / 'crops')


def draw_crops(folder, persons=4, cameras=3):
    rng = np.random.default_rng(0)
    for person in range(persons):
        colour = rng.integers(0, 256, 3)
        for camera in range(cameras):
            path = folder / f'cam{camera}' / f'p{person}_t{10 * camera}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = np.clip(colour + rng.integers(-20, 21, (30, 14, 3)), 0, 255)
            cv2.imwrite(str(path), picture.astype(np.uint8))
    return folder
