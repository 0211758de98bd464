from .base import Encoder, Fingerprint
from .model_encoder import ModelEncoder

__all__ = ['Encoder', 'Fingerprint', 'ModelEncoder']
