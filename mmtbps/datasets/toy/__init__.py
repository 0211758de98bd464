from .attributes import Person, Shot, look_alike_index, sample_person, sample_shots
from .wording import HELD_OUT_WORDS, WORDINGS
from .writer import ToySpec, draw_toy_pedes, read_spec

__all__ = [
    'HELD_OUT_WORDS',
    'WORDINGS',
    'Person',
    'Shot',
    'ToySpec',
    'draw_toy_pedes',
    'look_alike_index',
    'read_spec',
    'sample_person',
    'sample_shots',
]
