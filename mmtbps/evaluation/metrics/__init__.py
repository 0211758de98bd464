from .dump_features import DumpFeatures
from .tbps_metric import TBPSMetric

__all__ = ['DumpFeatures', 'TBPSMetric']
