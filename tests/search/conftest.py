import pytest
import torch
from tiny_search import draw_crops, write_model


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
