"""Which of the lexicon's words captions may use: all, or a part that leaves some for the test split alone."""

from .lexicon import COLOR_WORDS, HAIR_WORDS, NOUNS

__all__ = ['HELD_OUT_WORDS', 'WORDINGS', 'choose_words']

WORDINGS = ('all', 'seen', 'unseen')

# Words that the lexicon has, and that are kept from training.
_HELD_OUT = """
    crimson scarlet rose khaki tan chocolate chestnut violet plum lemon golden tangerine
    tartan checkered spotted spots bands squares
    tee vest pullover jumper sweatshirt blazer overcoat gown trousers slacks
    trainers slippers loafers rucksack knapsack satchel purse tote sack
    eyeglasses spectacles shades shawl muffler
    brunette auburn ginger silver cropped guy gentleman fellow lady female individual
"""
# Synonyms that only captions of unseen words use, where the lexicon has none to spare.
_ADDED: dict[tuple[str, ...], tuple[str, ...]] = {
    COLOR_WORDS['black']: ('ebony',),
    COLOR_WORDS['white']: ('ivory', 'snowy'),
    COLOR_WORDS['gray']: ('slate', 'charcoal'),
    COLOR_WORDS['navy']: ('indigo', 'midnight'),
    COLOR_WORDS['blue']: ('azure', 'cobalt'),
    COLOR_WORDS['pink']: ('fuchsia',),
    COLOR_WORDS['green']: ('emerald', 'olive'),
    COLOR_WORDS['yellow']: ('mustard',),
    COLOR_WORDS['orange']: ('apricot',),
    HAIR_WORDS['color']['black']: ('raven',),
    HAIR_WORDS['color']['blonde']: ('flaxen',),
    NOUNS['top']['shirt']: ('blouse',),
    NOUNS['top']['hoodie']: ('sweatshirt',),
    NOUNS['top']['jacket']: ('windbreaker',),
    NOUNS['top']['coat']: ('parka',),
    NOUNS['top']['dress']: ('frock',),
    NOUNS['bag']['suitcase']: ('trunk',),
}
HELD_OUT_WORDS = frozenset(_HELD_OUT.split()).union(*_ADDED.values())


def choose_words(options: tuple[str, ...], wording: str) -> tuple[str, ...]:
    """Leave the options that a wording allows.

    Args:
        options: Synonyms, or any other phrases to choose from.
        wording: ``'all'`` leaves them as they are. ``'seen'`` drops those with a held-out word. ``'unseen'`` takes
            held-out words instead, alone and without an adjective that would give the meaning away ('golden yellow');
            where there are none, the same as ``'seen'``.

    Returns:
        At least one option.
    """
    if wording == 'all':
        return options
    if wording == 'unseen':
        unseen = tuple(option for option in options if option in HELD_OUT_WORDS) + _ADDED.get(options, ())
        if unseen:
            return unseen
    # Forms around a word that has been chosen already ('the lady', 'this lady') stay.
    return tuple(option for option in options if HELD_OUT_WORDS.isdisjoint(option.split())) or options
