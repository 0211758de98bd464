"""The drawn world of ToyPEDES: pedestrians by attributes, painted and described in sentences.

This is the whole face of the room: nobody outside takes from an inner file.
"""

from .attributes import Person, Shot, look_alike_index, sample_person, sample_shots, stream
from .grammar import describe_image
from .lexicon import COLOR_WORDS, GENERIC_NOUNS, HAIR_NOUNS, HAIR_WORDS, NOUNS, PATTERN_WORDS, SUBJECTS
from .painter import COLORS
from .phrases import visible_parts
from .samples import draw_samples
from .scene import draw_image
from .wording import HELD_OUT_WORDS, WORDINGS
from .writer import ToySpec, read_spec, write_toy_pedes

__all__ = [
    'COLORS',
    'COLOR_WORDS',
    'GENERIC_NOUNS',
    'HAIR_NOUNS',
    'HAIR_WORDS',
    'HELD_OUT_WORDS',
    'NOUNS',
    'PATTERN_WORDS',
    'SUBJECTS',
    'WORDINGS',
    'Person',
    'Shot',
    'ToySpec',
    'describe_image',
    'draw_image',
    'draw_samples',
    'look_alike_index',
    'read_spec',
    'sample_person',
    'sample_shots',
    'stream',
    'visible_parts',
    'write_toy_pedes',
]
