"""Transforms of images and captions."""

from .erasing import RandomErasingBox
from .formatting import PackTBPSInputs, TokenizeCaption
from .geometry import ResizeFlipCrop
from .loading import LoadPersonImage

__all__ = ['LoadPersonImage', 'PackTBPSInputs', 'RandomErasingBox', 'ResizeFlipCrop', 'TokenizeCaption']
