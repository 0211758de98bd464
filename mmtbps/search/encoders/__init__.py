"""Encoders of images and sentences."""

from .base import Encoder, Fingerprint, ImageSource
from .model_encoder import ModelEncoder

__all__ = ['Encoder', 'Fingerprint', 'ImageSource', 'ModelEncoder']
