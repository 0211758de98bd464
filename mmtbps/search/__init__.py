from .encoders import Encoder, Fingerprint, ModelEncoder
from .filters import Condition, parse_where
from .gallery import Gallery
from .indexes import ExactIndex, FaissFlat, FaissHNSW, FaissIVFPQ, MilvusIndex, RowFilter, VectorIndex
from .listing import GalleryImage, list_gallery
from .metadata import MetadataSource
from .results import CaptionResult, IndexReport, SearchResult
from .searcher import Searcher
from .store import GalleryStore

__all__ = [
    'CaptionResult',
    'Condition',
    'Encoder',
    'ExactIndex',
    'FaissFlat',
    'FaissHNSW',
    'FaissIVFPQ',
    'Fingerprint',
    'Gallery',
    'GalleryImage',
    'GalleryStore',
    'IndexReport',
    'MetadataSource',
    'MilvusIndex',
    'ModelEncoder',
    'RowFilter',
    'SearchResult',
    'Searcher',
    'VectorIndex',
    'list_gallery',
    'parse_where',
]
