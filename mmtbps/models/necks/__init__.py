"""Necks: contextualisation of words, projections, pooling, selection of tokens."""

from .bigru_neck import BiGRUNeck
from .linear_projection import LinearProjection
from .mlp_projection import MLPProjection
from .part_pooling import PartPooling
from .token_selection import TokenSelection

__all__ = ['BiGRUNeck', 'LinearProjection', 'MLPProjection', 'PartPooling', 'TokenSelection']
