"""Retrievers and their parts."""

from .backbones import WordEmbedding, WordTable
from .clip import (
    CLIPPretrainedInit,
    CLIPResNet,
    CLIPTextTransformer,
    CLIPTower,
    CLIPViT,
    load_clip_weights,
    resize_positional_embedding,
)
from .data_preprocessor import IGNORED, TBPSDataPreprocessor, pad_tokens
from .fitting import encoders_of, fit_weights
from .heads import (
    AlignmentHead,
    BaseHead,
    ClassifierHead,
    CMPCHead,
    CMPMHead,
    ContrastiveHead,
    ContrastiveSimilarities,
    IdentityHead,
    ITCHead,
    PairwiseHead,
    SDMHead,
    Temperature,
    gather_pairs,
    make_temperature,
)
from .necks import BiGRUNeck, LinearProjection, MLPProjection, PartPooling, TokenSelection
from .queues import CrossModalQueue
from .retrievers import CMMoCoRetriever, DualStreamRetriever, ImageStream, TextStream
from .structures import ContrastEmbeddings, PairEmbeddings, TokenFeatures
from .word_vectorizers import CLIPWordVectorizer, SentenceTransformerWordVectorizer, WordVectorizer

__all__ = [
    'IGNORED',
    'AlignmentHead',
    'BaseHead',
    'BiGRUNeck',
    'CLIPPretrainedInit',
    'CLIPResNet',
    'CLIPTextTransformer',
    'CLIPTower',
    'CLIPViT',
    'CLIPWordVectorizer',
    'CMMoCoRetriever',
    'CMPCHead',
    'CMPMHead',
    'ClassifierHead',
    'ContrastEmbeddings',
    'ContrastiveHead',
    'ContrastiveSimilarities',
    'CrossModalQueue',
    'DualStreamRetriever',
    'ITCHead',
    'IdentityHead',
    'ImageStream',
    'LinearProjection',
    'MLPProjection',
    'PairEmbeddings',
    'PairwiseHead',
    'PartPooling',
    'SDMHead',
    'SentenceTransformerWordVectorizer',
    'TBPSDataPreprocessor',
    'Temperature',
    'TextStream',
    'TokenFeatures',
    'TokenSelection',
    'WordEmbedding',
    'WordTable',
    'WordVectorizer',
    'encoders_of',
    'fit_weights',
    'gather_pairs',
    'load_clip_weights',
    'make_temperature',
    'pad_tokens',
    'resize_positional_embedding',
]
