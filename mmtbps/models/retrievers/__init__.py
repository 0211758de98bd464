"""Retrievers: the models that Runners train."""

from .cm_moco import CMMoCoRetriever
from .dual_stream import DualStreamRetriever
from .streams import ImageStream, TextStream

__all__ = ['CMMoCoRetriever', 'DualStreamRetriever', 'ImageStream', 'TextStream']
