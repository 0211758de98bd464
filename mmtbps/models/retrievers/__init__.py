"""Retrievers: the models that Runners train."""

from .dual_stream import DualStreamRetriever
from .streams import ImageStream, TextStream

__all__ = ['DualStreamRetriever', 'ImageStream', 'TextStream']
