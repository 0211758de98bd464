"""Necks: contextualisation of words, projections."""

from .bigru_neck import BiGRUNeck
from .linear_projection import LinearProjection
from .mlp_projection import MLPProjection

__all__ = ['BiGRUNeck', 'LinearProjection', 'MLPProjection']
