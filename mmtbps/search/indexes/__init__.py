"""Vector indexes."""

from .base import RowFilter, VectorIndex
from .exact import ExactIndex
from .faiss_index import FaissFlat, FaissHNSW, FaissIndex, FaissIVFPQ
from .milvus_index import MilvusIndex
from .state import BuildState

__all__ = [
    'BuildState',
    'ExactIndex',
    'FaissFlat',
    'FaissHNSW',
    'FaissIVFPQ',
    'FaissIndex',
    'MilvusIndex',
    'RowFilter',
    'VectorIndex',
]
