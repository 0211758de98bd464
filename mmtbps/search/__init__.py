"""Search of image galleries with sentences: encoders, vector indexes, gallery, searcher, saliency maps."""

from .encoders import Encoder, Fingerprint, ImageSource, ModelEncoder
from .filters import Condition, WhereLike, parse_where
from .gallery import Gallery
from .indexes import (
    BuildState,
    ExactIndex,
    FaissFlat,
    FaissHNSW,
    FaissIndex,
    FaissIVFPQ,
    MilvusIndex,
    RowFilter,
    VectorIndex,
)
from .listing import GalleryImage, Images, Listing, list_gallery, list_images
from .metadata import MetadataSource
from .results import CaptionResult, IndexReport, SearchResult
from .saliency import compute_saliency, draw_saliency
from .searcher import Searcher
from .shard_set import extract_shards, read_shard_set
from .shards import BrokenImage, Shard
from .store import GalleryStore

__all__ = [
    'BrokenImage',
    'BuildState',
    'CaptionResult',
    'Condition',
    'Encoder',
    'ExactIndex',
    'FaissFlat',
    'FaissHNSW',
    'FaissIVFPQ',
    'FaissIndex',
    'Fingerprint',
    'Gallery',
    'GalleryImage',
    'GalleryStore',
    'ImageSource',
    'Images',
    'IndexReport',
    'Listing',
    'MetadataSource',
    'MilvusIndex',
    'ModelEncoder',
    'RowFilter',
    'SearchResult',
    'Searcher',
    'Shard',
    'VectorIndex',
    'WhereLike',
    'compute_saliency',
    'draw_saliency',
    'extract_shards',
    'list_gallery',
    'list_images',
    'parse_where',
    'read_shard_set',
]
