"""Detectors of MMDetection."""

import importlib

import numpy as np

from mmtbps.core.arguments import checked
from mmtbps.core.checks import in_unit, not_negative
from mmtbps.registry import DETECTORS

from .base import Detector

__all__ = ['MMDetDetector']


@DETECTORS.register_module()
class MMDetDetector(Detector):
    """A model of MMDetection 3, run by its ``DetInferencer`` (Chen et al., arXiv 1906.07155).

    Args:
        model: Name of a model, or a config file, as MMDetection takes it. Defaults to
            ``rtmdet_tiny_8xb32-300e_coco`` (Lyu et al., arXiv 2212.07784), its smallest one for images of any kind.
        weights: File or address of the weights. Defaults to None: those that belong to the name.
        label: Number of the class of persons. Defaults to 0, COCO's.
        min_score: Lowest confidence, 0..1. Defaults to 0.4: RTMDet's confidences are lower than those of two-stage
            detectors.
        device: Where to run. Defaults to None: MMDetection's choice.

    Raises:
        ImportError: If MMDetection is not installed or cannot be loaded.
        TypeError: If an argument is of another type.
        ValueError: If a number is out of range.
    """

    @checked(label=not_negative, min_score=in_unit)
    def __init__(
        self,
        model: str = 'rtmdet_tiny_8xb32-300e_coco',
        weights: str | None = None,
        label: int = 0,
        min_score: float = 0.4,
        device: str | None = None,
    ) -> None:
        try:
            inferencer = importlib.import_module('mmdet.apis').DetInferencer
        except (ImportError, AssertionError) as error:  # MMDetection asserts the versions of its companions
            raise ImportError(
                f'MMDetDetector needs MMDetection and the full mmcv, with compiled operators, in place of mmcv-lite '
                f'({error}). Run: python -m pip uninstall mmcv-lite && python -m pip install mmcv mmdet'
            ) from error
        self.label = label
        self.min_score = min_score
        self.inferencer = inferencer(model, weights, device=device, show_progress=False)

    def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the persons in a frame; see :meth:`Detector.detect`. Scores are the model's confidences."""
        (found,) = self.inferencer(image, no_save_vis=True)['predictions']
        boxes = np.asarray(found['bboxes'], np.float64).reshape(-1, 4)
        scores, labels = np.asarray(found['scores'], np.float64), np.asarray(found['labels'])
        persons = (labels == self.label) & (scores >= self.min_score)
        return boxes[persons], scores[persons]
