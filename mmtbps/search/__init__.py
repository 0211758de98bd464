from .encoders import Encoder, Fingerprint, ModelEncoder
from .gallery import GalleryImage, list_gallery
from .indexes import ExactIndex, FaissFlat, FaissHNSW, FaissIVFPQ, MilvusIndex, Selection, VectorIndex
from .metadata import MetadataSource
from .results import CaptionResult, IndexReport, SearchResult
from .searcher import Searcher
from .store import GalleryStore
from .where import Condition, parse_where

__all__ = [
    'CaptionResult',
    'Condition',
    'Encoder',
    'ExactIndex',
    'FaissFlat',
    'FaissHNSW',
    'FaissIVFPQ',
    'Fingerprint',
    'GalleryImage',
    'GalleryStore',
    'IndexReport',
    'MetadataSource',
    'MilvusIndex',
    'ModelEncoder',
    'SearchResult',
    'Searcher',
    'Selection',
    'VectorIndex',
    'list_gallery',
    'parse_where',
]
