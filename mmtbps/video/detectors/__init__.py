"""Detectors of persons."""

from .base import Detector
from .hog import HOGDetector
from .mmdet_detector import MMDetDetector
from .torchvision_detector import TorchvisionDetector

__all__ = ['Detector', 'HOGDetector', 'MMDetDetector', 'TorchvisionDetector']
