"""Base class of detectors of persons."""

from abc import ABC, abstractmethod

import numpy as np

__all__ = ['Detector']


class Detector(ABC):
    """Base class of detectors: a frame in, boxes of persons out.

    A subclass implements :meth:`detect` and registers itself in ``DETECTORS``.
    """

    @abstractmethod
    def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the persons in a frame.

        Args:
            image: Pixels (H, W, 3) uint8, BGR.

        Returns:
            Boxes (N, 4) of floats, left, top, right, bottom in pixels, which may reach over the frame; and scores
            (N,), higher is surer.
        """
