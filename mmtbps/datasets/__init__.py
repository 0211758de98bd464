"""Data sets, tokenizers, word vectors, transforms and samplers."""

from .annotation import ImageEntry
from .base import TBPSDataset
from .clip_tokenizer import CLIPTokenizer
from .cuhk_pedes import CUHKPEDES
from .icfg_pedes import ICFGPEDES
from .joining import ClassBalancedDataset, ConcatDataset, RepeatDataset
from .person_captions import PersonCaptions
from .rstp_reid import RSTPReid
from .samplers import IdentitySampler
from .tokenizers import Tokenizer, WordTokenizer
from .toy_pedes import ToyPEDES, draw_toy_pedes
from .transforms import (
    IGNORED,
    AddImageView,
    AugmentTokens,
    BackTranslate,
    DeleteWords,
    LoadPersonImage,
    MaskTokens,
    PackTBPSInputs,
    RandomErasingBox,
    ResizeFlipCrop,
    TokenizeCaption,
)
from .verify import format_report, verify_dataset
from .word_table_tokenizer import WordTableTokenizer
from .word_vectors import WordVectors

__all__ = [
    'CUHKPEDES',
    'ICFGPEDES',
    'IGNORED',
    'AddImageView',
    'AugmentTokens',
    'BackTranslate',
    'CLIPTokenizer',
    'ClassBalancedDataset',
    'ConcatDataset',
    'DeleteWords',
    'IdentitySampler',
    'ImageEntry',
    'LoadPersonImage',
    'MaskTokens',
    'PackTBPSInputs',
    'PersonCaptions',
    'RSTPReid',
    'RandomErasingBox',
    'RepeatDataset',
    'ResizeFlipCrop',
    'TBPSDataset',
    'TokenizeCaption',
    'Tokenizer',
    'ToyPEDES',
    'WordTableTokenizer',
    'WordTokenizer',
    'WordVectors',
    'draw_toy_pedes',
    'format_report',
    'verify_dataset',
]
