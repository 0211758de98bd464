"""Evaluation: pure ranking functions, re-rankers, and metrics that gather and print."""

from .metrics import DumpFeatures, TBPSMetric
from .rerankers import KReciprocal, NeighborJaccard, QueryExpansion, Reranker

__all__ = ['DumpFeatures', 'KReciprocal', 'NeighborJaccard', 'QueryExpansion', 'Reranker', 'TBPSMetric']
