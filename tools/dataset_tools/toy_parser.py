"""Parser of toy captions: the inverse of the grammar, written independently of it."""

import re

from mmtbps.toy import COLOR_WORDS, GENERIC_NOUNS, HAIR_NOUNS, HAIR_WORDS, NOUNS, PATTERN_WORDS, SUBJECTS

__all__ = ['parse_caption']

_BUILDS = dict(slim=('slim', 'thin', 'slender'), heavy=('heavy', 'stout', 'large'))
# What may stand between an adjective and its noun.
_BRIDGES = ('and', 'colored')

# Type of a word ('noun', 'look', 'person' or 'other'), and what it tells.
_Token = tuple[str, dict[str, str]]


def _looks() -> dict[str, dict[str, str]]:
    """Words that go with a noun: for every aspect ('color', 'hair_color', 'pattern', 'hair_style') what they say."""
    tables = (
        ('color', COLOR_WORDS),
        ('pattern', PATTERN_WORDS),
        ('hair_color', HAIR_WORDS['color']),
        ('hair_style', HAIR_WORDS['style']),
    )
    looks: dict[str, dict[str, str]] = {}
    for aspect, table in tables:
        for value, words in table.items():
            for word in words:
                looks.setdefault(word, {})[aspect] = value
    return looks


def _nouns() -> dict[str, dict[str, str]]:
    nouns = {word: dict(part=part) for part, words in GENERIC_NOUNS.items() for word in words}
    nouns['hair'] = dict(part='hair')
    for part, kinds in {**NOUNS, 'hair': HAIR_NOUNS}.items():
        for kind, words in kinds.items():
            nouns |= {word: dict(part=part, kind=kind) for word in words}
    return nouns


def _lexicon() -> dict[str, _Token]:
    """All phrases, without punctuation."""
    people = {word: dict(gender=gender) for gender, words in SUBJECTS.items() for word in words if gender != 'person'}
    people |= {word: dict(build=build) for build, words in _BUILDS.items() for word in words}
    tables = (('look', _looks()), ('noun', _nouns()), ('person', people))
    return {_bare(phrase): (kind, tells) for kind, table in tables for phrase, tells in table.items()}


def _bare(text: str) -> str:
    return re.sub(r'[^a-z0-9 ]', '', text.lower())


_LEXICON = _lexicon()
_LONGEST = max(len(phrase.split()) for phrase in _LEXICON)


def _scan(caption: str) -> list[tuple[str, _Token]]:
    """Cut a caption into the longest phrases of the lexicon; commas and stops are tokens of their own."""
    words = [_bare(word) or word for word in re.findall(r"[\w'-]+|[.,]", caption.lower())]
    tokens: list[tuple[str, _Token]] = []
    start = 0
    while start < len(words):
        for end in range(min(start + _LONGEST, len(words)), start, -1):
            phrase = ' '.join(words[start:end])
            if phrase in _LEXICON or end == start + 1:
                tokens.append((phrase, _LEXICON.get(phrase, ('other', {}))))
                start = end
                break
    return tokens


def _before(tokens: list[tuple[str, _Token]], noun: int, first: int) -> list[dict[str, str]]:
    """The looks right before a noun, back to ``first``."""
    found = []
    for word, (kind, tells) in reversed(tokens[first:noun]):
        if kind == 'look':
            found.append(tells)
        elif word not in _BRIDGES:
            break
    return found[::-1]


def _after(tokens: list[tuple[str, _Token]], noun: int) -> tuple[list[dict[str, str]], int]:
    """The looks after a noun ('with white dots', 'are white'), and where they end."""
    link = tokens[noun + 1][0] if noun + 1 < len(tokens) else ''
    found, last = [], noun
    if link not in ('with', 'is', 'are'):
        return [], noun
    for place in range(noun + 2, len(tokens)):
        word, (kind, tells) = tokens[place]
        if kind == 'look':
            found.append(tells)
            last = place
            if 'pattern' in tells:
                return found, last
        elif word not in ('and', 'a', 'an') or (word != 'and' and link != 'with'):
            break
    return ([], noun) if link == 'with' else (found, last)


def _tell(noun: dict[str, str], looks: list[dict[str, str]]) -> dict[str, str]:
    """Name what a noun and its looks say as fields of ``Person``."""
    part, attributes = noun['part'], {}
    if part == 'hair':
        attributes = {aspect: value for look in looks for aspect, value in look.items() if aspect.startswith('hair_')}
        return attributes | ({'hair_style': noun['kind']} if 'kind' in noun else {})
    if 'kind' in noun and part != 'scarf':
        attributes[part if part == 'glasses' else f'{part}_kind'] = noun['kind']
    names = ['scarf'] if part == 'scarf' else [f'{part}_color', f'{part}_accent']
    colors = [look['color'] for look in looks if 'color' in look]
    attributes |= dict(zip(names, colors, strict=False))
    return attributes | {f'{part}_pattern': look['pattern'] for look in looks if 'pattern' in look}


def parse_caption(caption: str) -> dict[str, str]:
    """Parse the attributes that a caption of the toy data set states.

    Args:
        caption: As the grammar wrote it.

    Returns:
        Fields of ``Person`` and their values.
    """
    tokens = _scan(caption)
    attributes: dict[str, str] = {}
    free = 0
    for place, (_, (kind, tells)) in enumerate(tokens):
        if kind == 'person':
            attributes |= tells
        elif kind == 'noun':
            looks = _before(tokens, place, free)
            more, free = _after(tokens, place)
            attributes |= _tell(tells, looks + more)
            free += 1
    return attributes
