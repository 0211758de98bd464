"""Backbones of words; CLIP's towers are in ``clip``, MMPretrain's backbones within reach by their names."""

from .word_embedding import WordEmbedding
from .word_table import WordTable

__all__ = ['WordEmbedding', 'WordTable']
