"""Heads: they turn embeddings into losses."""

from .alignment_head import AlignmentHead
from .base_head import BaseHead
from .classifier_head import ClassifierHead
from .cmpc_head import CMPCHead
from .cmpm_head import CMPMHead
from .contrastive_head import ContrastiveHead, ContrastiveSimilarities
from .identity_head import IdentityHead
from .itc_head import ITCHead
from .pairwise_head import PairwiseHead

__all__ = [
    'AlignmentHead',
    'BaseHead',
    'CMPCHead',
    'CMPMHead',
    'ClassifierHead',
    'ContrastiveHead',
    'ContrastiveSimilarities',
    'ITCHead',
    'IdentityHead',
    'PairwiseHead',
]
