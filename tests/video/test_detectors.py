"""HOG against OpenCV's numbers and a slow plain form; the detectors of torchvision and MMDetection."""

import math
import sys
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch
import torchvision
from drawn_videos import draw_walker, street

from mmtbps.registry import DETECTORS
from mmtbps.video import HOGDetector, MMDetDetector, TorchvisionDetector
from mmtbps.video.boxes import overlaps
from mmtbps.video.detectors.hog import _weights
from mmtbps.video.detectors.hog_features import block_histograms, window_scores


def picture():
    """A figure before noise, (160, 96, 3), made of whole numbers alone."""
    rows, columns = np.mgrid[:160, :96]
    image = np.full((160, 96, 3), (205, 200, 195), np.int64)
    head = (columns - 48) ** 2 / 36 + (rows - 30) ** 2 / 64 <= 1
    body = (np.abs(columns - 48) <= 13 - (rows - 40) // 20) & (rows >= 40) & (rows < 78)
    arms = (np.abs(np.abs(columns - 48) - 17 - (rows - 42) // 14) <= 3) & (rows >= 42) & (rows < 76)
    legs = (np.abs(np.abs(columns - 48) - 6 - (rows - 78) // 20) <= 4) & (rows >= 78) & (rows < 122)
    image[head | body | arms | legs] = (60, 40, 35)
    noise = np.arange(image.size).reshape(image.shape) * 7919 % 251
    return (image + noise // 60).astype(np.uint8)


# OpenCV 4.12, HOGDescriptor().compute(picture(), winStride=(8, 8)) with its default people detector: the scores of the
# 5 x 5 windows, and the block whose first number is 1000 of window 6.
OPENCV_SCORES = [
    [-8.712, -6.943, -4.815, -6.558, -7.772],
    [-8.966, -5.507, -1.810, -4.843, -7.634],
    [-7.106, -4.320, -2.800, -4.502, -6.948],
    [-7.445, -5.317, -4.405, -5.825, -7.254],
    [-7.146, -5.551, -4.518, -6.421, -7.664],
]
OPENCV_NUMBERS = [0.0030, 0.0093, 0.0086, 0.0007, 0.0032, 0.4489, 0.2566, 0.0, 0.0, 0.0012, 0.0038, 0.0123]


def test_scores_are_those_of_opencv():
    histograms = block_histograms(picture())
    assert window_scores(histograms, _weights()).numpy() == pytest.approx(np.array(OPENCV_SCORES), abs=4e-3)
    window = histograms[:, 1:16, 1:8].permute(2, 1, 0).flatten()
    assert window[1000:1012].numpy() == pytest.approx(OPENCV_NUMBERS, abs=4e-4)


@pytest.mark.skipif(not hasattr(cv2, 'HOGDescriptor'), reason='OpenCV 5 has no HOG')
def test_scores_are_those_of_the_installed_opencv():
    descriptor, image = cv2.HOGDescriptor(), picture()
    assert _weights().numpy() == pytest.approx(cv2.HOGDescriptor_getDefaultPeopleDetector().ravel())
    windows = descriptor.compute(image, winStride=(8, 8)).reshape(-1, 3780)
    expected = (windows @ _weights().numpy()[:-1] + float(_weights()[-1])).reshape(5, 5)
    assert window_scores(block_histograms(image), _weights()).numpy() == pytest.approx(expected, abs=4e-3)


def plain_block(image, top, left):
    """One block by loops over pixels, as the paper tells it."""
    roots, cells = np.sqrt(image.astype(float)), np.zeros((2, 2, 9))
    last_row, last_column = image.shape[0] - 1, image.shape[1] - 1
    for row in range(16):
        for column in range(16):
            y, x = top + row, left + column
            right, before = roots[y, x + 1 if x < last_column else x - 1], roots[y, x - 1 if x else 1]
            below, above = roots[y + 1 if y < last_row else y - 1, x], roots[y - 1 if y else 1, x]
            dx, dy = right - before, below - above
            channel = int(np.argmax(dx**2 + dy**2))
            direction = math.degrees(math.atan2(dy[channel], dx[channel])) % 180 / 20 - 0.5
            low = math.floor(direction)
            votes = {low % 9: 1 - (direction - low), (low + 1) % 9: direction - low}
            weight = math.hypot(dx[channel], dy[channel])
            weight *= math.exp(-((row - 8) ** 2 + (column - 8) ** 2) / 32)
            for cell_row in (0, 1):
                for cell_column in (0, 1):
                    near = max(0, 1 - abs((row + 0.5) / 8 - 0.5 - cell_row))
                    near *= max(0, 1 - abs((column + 0.5) / 8 - 0.5 - cell_column))
                    for bin_, share in votes.items():
                        cells[cell_column, cell_row, bin_] += weight * near * share
    flat = cells.ravel()
    bounded = np.minimum(flat / (np.linalg.norm(flat) + 3.6), 0.2)
    return bounded / (np.linalg.norm(bounded) + 1e-3)


def test_blocks_by_loops():
    image = np.random.default_rng(0).integers(0, 256, (40, 32, 3), dtype=np.uint8)
    found = block_histograms(image)
    assert found.shape == (36, 4, 3)
    for row, column in ((0, 0), (1, 2), (3, 1), (3, 2)):
        expected = plain_block(image, 8 * row, 8 * column)
        assert found[:, row, column].numpy() == pytest.approx(expected, abs=1e-5)


WALKERS = [(120, 60, 200), (300, 120, 130), (420, 150, 100)]


def test_hog_finds_drawn_walkers_and_nobody_else():
    image = street(480, 360)
    assert len(HOGDetector().detect(image)[0]) == 0
    for walker in WALKERS:
        draw_walker(image, *walker)
    boxes, scores = HOGDetector().detect(image)
    truth = np.array([(x - 0.2 * high, top, x + 0.2 * high, top + high) for x, top, high in WALKERS])
    assert len(boxes) == len(scores) == 3
    assert scores.min() > 1
    assert overlaps(truth, boxes).max(1).min() > 0.7


def test_hog_finds_small_walkers_only_if_asked_and_those_at_the_edge():
    image = draw_walker(draw_walker(street(320, 240), 100, 100, 60), 22, 90, 120)
    (box,), _ = HOGDetector().detect(image)
    assert box[2] < 60
    boxes, _ = HOGDetector(smallest=56).detect(image)
    assert overlaps(np.array([[88, 100, 112, 160]]), boxes).max() > 0.6


def test_settings_of_hog():
    image = draw_walker(street(200, 200), 100, 30, 130)
    assert len(HOGDetector(hit_threshold=4).detect(image)[0]) == 0
    assert len(HOGDetector(min_hits=1000).detect(image)[0]) == 0
    assert len(HOGDetector(smallest=180).detect(image)[0]) == 0


@pytest.mark.parametrize('shape', [(1, 1), (3, 500), (96, 20), (128, 64)])
def test_frames_of_any_size(shape):
    boxes, scores = HOGDetector().detect(np.full((*shape, 3), 90, np.uint8))
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)


@pytest.fixture
def torchvision_files(tmp_path):
    """Weights of a small detector of torchvision with two classes, which finds its class 1 in many places."""
    torch.manual_seed(0)
    model = torchvision.models.get_model(
        'ssdlite320_mobilenet_v3_large', weights=None, weights_backbone=None, num_classes=2
    )
    for weight in model.head.parameters():
        torch.nn.init.normal_(weight, std=0.5)  # scores that differ
    torch.save(model.state_dict(), tmp_path / 'weights.pth')
    return str(tmp_path / 'weights.pth')


def test_torchvision_with_weights_of_a_file(torchvision_files):
    options = dict(model='ssdlite320_mobilenet_v3_large', weights=torchvision_files, num_classes=2, device='cpu')
    image = draw_walker(street(), 100, 40, 150)
    boxes, scores = TorchvisionDetector(min_score=0, **options).detect(image)
    rgb = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1) / 255
    model = TorchvisionDetector(**options).model
    with torch.inference_mode():
        (expected,) = model([rgb])
    assert len(boxes) == (expected['labels'] == 1).sum() > 0
    assert boxes == pytest.approx(expected['boxes'].numpy(), abs=1e-3)
    half = float(scores.min() + scores.max()) / 2
    some, higher = TorchvisionDetector(min_score=half, **options).detect(image)
    assert len(some) == (scores >= half).sum() < len(boxes)
    assert higher.min() >= half
    assert len(TorchvisionDetector(min_score=0, label=2, **options).detect(image)[0]) == 0


def test_torchvision_with_random_weights_by_default_name():
    boxes, scores = TorchvisionDetector(weights=None, min_score=0, device='cpu').detect(street(160, 120))
    assert boxes.shape == (len(scores), 4)
    assert boxes.dtype == scores.dtype == np.float64


def test_mistakes_with_torchvision(torchvision_files, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="model 'resnet50' is no detector of torchvision; choose from fasterrcnn_"):
        TorchvisionDetector('resnet50')
    with pytest.raises(ValueError, match='do not fit ssdlite320_mobilenet_v3_large with 91 classes'):
        TorchvisionDetector('ssdlite320_mobilenet_v3_large', torchvision_files)
    with pytest.raises(FileNotFoundError, match='There is no checkpoint'):
        TorchvisionDetector(weights=str(tmp_path / 'missing.pth'))

    def without_network(*_, **__):
        raise OSError('no route to host')

    monkeypatch.setattr(torchvision.models, 'get_model', without_network)
    with pytest.raises(OSError, match=r'cannot be fetched .no route to host.. Connect this machine once, or give'):
        TorchvisionDetector()


class StandInInferencer:
    """Answers as MMDetection 3.3's ``DetInferencer`` does, which cannot be installed beside mmcv-lite."""

    def __init__(self, model=None, weights=None, device=None, scope='mmdet', palette='none', show_progress=True):
        assert (model, weights, device, show_progress) == ('rtmdet_tiny_8xb32-300e_coco', None, 'cpu', False)

    def __call__(self, inputs, batch_size=1, return_vis=False, show=False, wait_time=0, no_save_vis=False, **kwargs):
        assert inputs.shape == (240, 320, 3)
        assert no_save_vis
        found = dict(labels=[0, 2, 0], scores=[0.9, 0.8, 0.1], bboxes=[[1.0, 2, 3, 4], [5, 6, 7, 8], [0, 0, 1, 1]])
        return dict(predictions=[found], visualization=[])


def test_mmdet(monkeypatch):
    apis = ModuleType('mmdet.apis')
    apis.DetInferencer = StandInInferencer
    monkeypatch.setitem(sys.modules, 'mmdet', ModuleType('mmdet'))
    monkeypatch.setitem(sys.modules, 'mmdet.apis', apis)
    boxes, scores = MMDetDetector(device='cpu').detect(street())
    assert boxes.tolist() == [[1, 2, 3, 4]]
    assert scores.tolist() == [0.9]


def test_without_mmdet(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mmdet', None)
    with pytest.raises(ImportError, match=r'needs MMDetection and the full mmcv.*pip install mmcv mmdet'):
        MMDetDetector()


def test_detectors_are_registered():
    assert {'HOGDetector', 'MMDetDetector', 'TorchvisionDetector'} <= set(DETECTORS.module_dict)
    assert isinstance(DETECTORS.build(dict(type='mmtbps.HOGDetector', scale=1.1)), HOGDetector)
