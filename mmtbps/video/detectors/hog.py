"""The detector that needs no download."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch

from mmtbps.core.arguments import checked
from mmtbps.core.checks import at_least, finite, in_unit, positive
from mmtbps.registry import DETECTORS

from ..boxes import overlaps, suppress
from .base import Detector
from .hog_features import CELL, WINDOW, block_histograms, window_scores

__all__ = ['HOGDetector']

_WEIGHTS = Path(__file__).with_name('hog_people.npy')
_PERSON = 96
"""Height in pixels of the persons in the windows that the weights were trained on (INRIA), amid 16 pixels of street."""

_ASPECT = 0.41
"""Mean width of a pedestrian in heights (Dollár et al., "Pedestrian Detection", TPAMI 2012)."""

_PADDING = 2 * CELL


@DETECTORS.register_module()
class HOGDetector(Detector):
    """Histograms of oriented gradients and a linear classifier: OpenCV's people detector, on any version of OpenCV.

    Dalal & Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005, with the weights that
    OpenCV 4 (Apache-2.0) hands out as ``HOGDescriptor.getDefaultPeopleDetector``. OpenCV 5 has no ``HOGDescriptor`` any
    more, so that all is computed here; the scores of windows equal OpenCV's. It finds upright people who are seen
    whole, from the front or from behind, and misses many others: use another detector for real work.

    Args:
        smallest: Height in pixels of the smallest persons that are searched for. Defaults to 96, that of the training
            images; for smaller ones frames are enlarged. A larger value makes it faster.
        scale: Ratio of the sizes that are tried one after the other. Defaults to 1.05, as in OpenCV.
        hit_threshold: Value of the classifier above which a window is a person. Defaults to 0, its own border; higher
            ones find less and err less.
        min_hits: In how many windows, of neighbouring places and sizes, a person must be found. Defaults to 3, as in
            OpenCV's grouping: real people are found several times, errors often once.
        overlap: Intersection over union from which two windows are one person. Defaults to 0.5.
        device: Where to compute. Defaults to the CPU.

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If a number is out of range.
    """

    @checked(smallest=at_least(16), scale=at_least(1.01), hit_threshold=finite, min_hits=positive, overlap=in_unit)
    def __init__(
        self,
        smallest: float = _PERSON,
        scale: float = 1.05,
        hit_threshold: float = 0.0,
        min_hits: int = 3,
        overlap: float = 0.5,
        device: str = 'cpu',
    ) -> None:
        self.smallest = smallest
        self.scale = scale
        self.hit_threshold = hit_threshold
        self.min_hits = min_hits
        self.overlap = overlap
        self.device = torch.device(device)

    def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the persons in a frame; see :meth:`Detector.detect`. Scores are values of the classifier."""
        found = [self._search(image, factor) for factor in self._factors(*image.shape[:2])]
        boxes = np.concatenate([np.empty((0, 4)), *(boxes for boxes, _ in found)])
        scores = np.concatenate([np.empty(0), *(scores for _, scores in found)])
        kept = suppress(boxes, scores, self.overlap)
        hits = (overlaps(boxes[kept], boxes) >= self.overlap).sum(1)
        kept = kept[hits >= self.min_hits]
        return boxes[kept], scores[kept]

    def _factors(self, height: int, width: int) -> Iterator[float]:
        """By what the frame is divided, from the smallest persons to those as high as the frame."""
        factor = self.smallest / _PERSON
        while height / factor + 2 * _PADDING >= WINDOW[0] and width / factor + 2 * _PADDING >= WINDOW[1]:
            yield factor
            factor *= self.scale

    def _search(self, image: np.ndarray, factor: float) -> tuple[np.ndarray, np.ndarray]:
        """Boxes and scores of the windows of one size."""
        height, width = image.shape[:2]
        size = max(1, round(width / factor)), max(1, round(height / factor))
        level = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        level = cv2.copyMakeBorder(level, _PADDING, _PADDING, _PADDING, _PADDING, cv2.BORDER_REPLICATE)
        if level.shape[0] < WINDOW[0] or level.shape[1] < WINDOW[1]:
            return np.empty((0, 4)), np.empty(0)
        scores = window_scores(block_histograms(level, self.device), _weights()).cpu().double().numpy()
        rows, columns = np.nonzero(scores > self.hit_threshold)
        center = np.stack([columns * CELL + WINDOW[1] / 2, rows * CELL + WINDOW[0] / 2], axis=1) - _PADDING
        half = np.array([_ASPECT * _PERSON, _PERSON]) / 2
        stretch = np.tile([width / size[0], height / size[1]], 2)
        return np.concatenate([center - half, center + half], axis=1) * stretch, scores[rows, columns]


@cache
def _weights() -> torch.Tensor:
    """The 3,781 weights, read once."""
    return torch.from_numpy(np.load(_WEIGHTS, allow_pickle=False))
