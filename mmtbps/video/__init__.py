"""From videos to crops: detectors of persons, frames at regular times, crops with a table for the search."""

from .cropping import Progress, crop_videos
from .detectors import Detector, HOGDetector, MMDetDetector, TorchvisionDetector
from .report import CropReport

__all__ = [
    'CropReport',
    'Detector',
    'HOGDetector',
    'MMDetDetector',
    'Progress',
    'TorchvisionDetector',
    'crop_videos',
]
