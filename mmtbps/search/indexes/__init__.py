from .base import Selection, VectorIndex
from .exact import ExactIndex

__all__ = ['ExactIndex', 'Selection', 'VectorIndex']
