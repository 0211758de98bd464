"""Heads: they turn embeddings into losses."""

from .alignment_head import AlignmentHead
from .base_head import BaseHead
from .citc_head import CITCHead
from .classifier_head import ClassifierHead
from .cmpc_head import CMPCHead
from .cmpm_head import CMPMHead
from .contrastive_head import ContrastiveHead, ContrastiveSimilarities
from .gathering import gather_pairs
from .identity_head import IdentityHead
from .itc_head import ITCHead
from .linear_classifier_head import LinearClassifierHead
from .masked_word_head import MaskedWordHead
from .nitc_head import NITCHead
from .pairwise_head import PairwiseHead
from .sdm_head import SDMHead
from .self_supervision_head import SelfSupervisionHead
from .tal_head import TALHead
from .temperature import Temperature, make_temperature

__all__ = [
    'AlignmentHead',
    'BaseHead',
    'CITCHead',
    'CMPCHead',
    'CMPMHead',
    'ClassifierHead',
    'ContrastiveHead',
    'ContrastiveSimilarities',
    'ITCHead',
    'IdentityHead',
    'LinearClassifierHead',
    'MaskedWordHead',
    'NITCHead',
    'PairwiseHead',
    'SDMHead',
    'SelfSupervisionHead',
    'TALHead',
    'Temperature',
    'gather_pairs',
    'make_temperature',
]
