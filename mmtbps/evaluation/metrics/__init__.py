"""Metrics of MMEngine's evaluator."""

from .dump_features import DumpFeatures, FeatureCollector
from .tbps_metric import TBPSMetric

__all__ = ['DumpFeatures', 'FeatureCollector', 'TBPSMetric']
