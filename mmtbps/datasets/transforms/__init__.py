"""Transforms of images and captions."""

from .erasing import RandomErasingBox
from .formatting import PackTBPSInputs, TokenizeCaption
from .geometry import ResizeFlipCrop
from .loading import LoadPersonImage
from .tokens import IGNORED, AugmentTokens, MaskTokens
from .views import AddImageView
from .words import BackTranslate, DeleteWords

__all__ = [
    'IGNORED',
    'AddImageView',
    'AugmentTokens',
    'BackTranslate',
    'DeleteWords',
    'LoadPersonImage',
    'MaskTokens',
    'PackTBPSInputs',
    'RandomErasingBox',
    'ResizeFlipCrop',
    'TokenizeCaption',
]
