"""Re-rankers."""

from .base import Reranker
from .k_reciprocal import KReciprocal
from .neighbor_jaccard import NeighborJaccard
from .query_expansion import QueryExpansion

__all__ = ['KReciprocal', 'NeighborJaccard', 'QueryExpansion', 'Reranker']
