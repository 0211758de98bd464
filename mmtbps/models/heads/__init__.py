"""Heads: they turn embeddings into losses."""

from .alignment_head import AlignmentHead
from .base_head import BaseHead
from .classifier_head import ClassifierHead
from .cmpc_head import CMPCHead
from .cmpm_head import CMPMHead
from .contrastive_head import ContrastiveHead, ContrastiveSimilarities
from .gathering import gather_pairs
from .identity_head import IdentityHead
from .itc_head import ITCHead
from .pairwise_head import PairwiseHead
from .sdm_head import SDMHead
from .temperature import Temperature, make_temperature

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
    'SDMHead',
    'Temperature',
    'gather_pairs',
    'make_temperature',
]
