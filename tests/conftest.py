"""Fixtures for all tests; its being here also lets every test import the helper modules of this folder."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import settings


def pytest_configure(config):
    """Let every process of the tests use one thread, and draw the same cases each time.

    Some tests run in twos, and threads without a core stall small steps. ``MMTBPS_FUZZ_FACTOR=2`` draws other cases.
    """
    os.environ.setdefault('OMP_NUM_THREADS', '1')  # read when torch is imported, later
    settings.register_profile('mmtbps', derandomize=os.environ.get('MMTBPS_FUZZ_FACTOR', '1') == '1')
    settings.load_profile('mmtbps')


@pytest.fixture(autouse=True)
def _no_closed_log_files():
    """MMEngine's current logger outlives a test; a log file that was closed meanwhile would fail the next one."""
    from mmengine.logging import MMLogger  # torch must not be imported before `pytest_configure`

    for logger in MMLogger._instance_dict.values():
        logger.handlers = [handler for handler in logger.handlers if getattr(handler, 'stream', handler) is not None]


@pytest.fixture(autouse=True)
def _exact_convolutions(monkeypatch):
    """On a GPU, convolutions have ten bits of mantissa by default."""
    import torch

    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)


@pytest.fixture
def unformatted_configs(monkeypatch):
    """Configs in logs and checkpoints are not prettified, which takes most of the time of a run of one step."""
    monkeypatch.setattr('mmengine.config.config.FormatCode', lambda text, **_: (text, True))


@pytest.fixture
def write_images():
    """Write tiny images below ``root/imgs``."""

    def write(root: Path, paths) -> None:
        for index, path in enumerate(dict.fromkeys(paths)):
            file = root / 'imgs' / path
            file.parent.mkdir(parents=True, exist_ok=True)
            image = np.random.default_rng(index).integers(0, 256, (12, 6, 3), dtype=np.uint8)
            cv2.imwrite(str(file), image)

    return write


@pytest.fixture
def write_json(write_images):
    """Write a JSON annotation and the images it names."""

    def write(root: Path, entries, name='reid_raw.json', path_key='file_path') -> Path:
        (root / name).write_text(json.dumps(entries), encoding='utf-8')
        write_images(root, [entry[path_key] for entry in entries])
        return root

    return write
