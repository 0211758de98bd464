"""Heads: they turn embeddings into losses."""

from .alignment_head import AlignmentHead
from .base_head import BaseHead
from .cmpc_head import CMPCHead
from .cmpm_head import CMPMHead
from .contrastive_head import ContrastiveHead, ContrastiveSimilarities
from .identity_head import IdentityHead
from .itc_head import ITCHead
from .pairwise_head import PairwiseHead
from .projection_head import ProjectionHead

__all__ = [
    'AlignmentHead',
    'BaseHead',
    'CMPCHead',
    'CMPMHead',
    'ContrastiveHead',
    'ContrastiveSimilarities',
    'ITCHead',
    'IdentityHead',
    'PairwiseHead',
    'ProjectionHead',
]
