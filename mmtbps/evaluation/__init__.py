"""Evaluation: ranking functions, re-rankers, metrics of MMEngine's evaluator, and files of features."""

from .directions import Direction, both_directions, score_directions
from .feature_file import Features, load_features, save_features
from .metrics import DumpFeatures, FeatureCollector, TBPSMetric
from .rerankers import KReciprocal, NeighborJaccard, QueryExpansion, Reranker

__all__ = [
    'Direction',
    'DumpFeatures',
    'FeatureCollector',
    'Features',
    'KReciprocal',
    'NeighborJaccard',
    'QueryExpansion',
    'Reranker',
    'TBPSMetric',
    'both_directions',
    'load_features',
    'save_features',
    'score_directions',
]
