from .base import TBPSDataset
from .cuhk_pedes import CUHKPEDES
from .icfg_pedes import ICFGPEDES
from .person_captions import PersonCaptions
from .rstp_reid import RSTPReid
from .samplers import IdentitySampler
from .tokenizers import Tokenizer, WordTokenizer

__all__ = ['CUHKPEDES', 'ICFGPEDES', 'PersonCaptions', 'RSTPReid', 'TBPSDataset', 'Tokenizer', 'WordTokenizer']
