from .base import TBPSDataset
from .cuhk_pedes import CUHKPEDES
from .tokenizers import Tokenizer, WordTokenizer

__all__ = ['CUHKPEDES', 'TBPSDataset', 'Tokenizer', 'WordTokenizer']
