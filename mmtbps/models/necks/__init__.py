"""Necks: contextualisation of words, projections."""

from .bigru_neck import BiGRUNeck
from .linear_projection import LinearProjection
from .mlp_projection import MLPProjection
from .part_pooling import PartPooling

__all__ = ['BiGRUNeck', 'LinearProjection', 'MLPProjection', 'PartPooling']
