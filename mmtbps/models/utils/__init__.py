"""Parts that several models share."""

from .distributed import gather, gather_with_gradient
from .pair_embeddings import ContrastEmbeddings, PairEmbeddings
from .positional_embedding import resize_positional_embedding
from .precision import at_least_float32, promote
from .temperature import Temperature

__all__ = [
    'ContrastEmbeddings',
    'PairEmbeddings',
    'Temperature',
    'at_least_float32',
    'gather',
    'gather_with_gradient',
    'promote',
    'resize_positional_embedding',
]
