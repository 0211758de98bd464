from .base import TBPSDataset
from .clip_tokenizer import CLIPTokenizer
from .cuhk_pedes import CUHKPEDES
from .icfg_pedes import ICFGPEDES
from .person_captions import PersonCaptions
from .rstp_reid import RSTPReid
from .samplers import IdentitySampler
from .tokenizers import Tokenizer, WordTokenizer
from .toy_pedes import ToyPEDES
from .transforms import LoadPersonImage, PackTBPSInputs, RandomErasingBox, ResizeFlipCrop, TokenizeCaption
from .word_table_tokenizer import WordTableTokenizer

__all__ = [
    'CUHKPEDES',
    'ICFGPEDES',
    'CLIPTokenizer',
    'IdentitySampler',
    'LoadPersonImage',
    'PackTBPSInputs',
    'PersonCaptions',
    'RSTPReid',
    'RandomErasingBox',
    'ResizeFlipCrop',
    'TBPSDataset',
    'TokenizeCaption',
    'Tokenizer',
    'ToyPEDES',
    'WordTableTokenizer',
    'WordTokenizer',
]
