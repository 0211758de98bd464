"""Evaluation: pure ranking functions, and metrics that gather and print."""

from .metrics import DumpFeatures, TBPSMetric

__all__ = ['DumpFeatures', 'TBPSMetric']
