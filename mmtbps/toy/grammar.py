"""Composes the two captions of a toy image."""

import numpy as np

from .attributes import Person, Shot
from .lexicon import SUBJECTS
from .phrases import Phrase, Speaker, visible_parts, with_article

__all__ = ['describe_image']

_WORN = ('shoes', 'hat', 'scarf', 'glasses')
# {s} subject, {i} the same with 'a', {w} list of clothes, {x} something the person has, {p} pose.
_OPENINGS = (
    '{s} is wearing {w}',
    '{s} wears {w}',
    '{s} wearing {w}',
    '{s} is dressed in {w}',
    '{s} has on {w}',
    '{s} in {w}',
    '{s} can be seen wearing {w}',
    'there is {i} wearing {w}',
)
_OPENINGS_HAVING = (
    '{s} with {x} is wearing {w}',
    '{s} with {x} wears {w}',
    '{s} has {x} and is wearing {w}',
    '{s} has {x} and wears {w}',
    '{s} who has {x} is dressed in {w}',
    'with {x}, {s} wears {w}',
)
_OPENINGS_POSE = (
    '{s} in {w} is {p}',
    '{s} is {p} and wearing {w}',
    'wearing {w}, {s} is {p}',
    'dressed in {w}, {s} is seen {p}',
    '{s} wearing {w} is {p}',
    '{p}, {s} wears {w}',
    '{s} is {p} while wearing {w}',
)
_OPENINGS_CARRY = (
    '{s} is wearing {w} and {b}',
    '{s} wears {w} while {b}',
    '{b}, {s} is dressed in {w}',
    '{s} {b} wears {w}',
)


class _Writer:
    """Writes one caption and collects the attributes that it states."""

    def __init__(self, speaker: Speaker, parts: list[str]) -> None:
        self.speaker = speaker
        self.parts = parts
        self.attributes: dict[str, str] = {}
        self.follows = False
        self.pronoun = 'he' if speaker.person.gender == 'man' else 'she'

    def tell(self, phrase: Phrase) -> str:
        """Collect the attributes of a phrase and return its words."""
        self.attributes.update(phrase.attributes)
        return phrase.text

    def subject(self) -> tuple[str, str]:
        """The person with any determiner or none, and with 'a'."""
        speaker, gender = self.speaker, self.speaker.person.gender
        noun = speaker.one_of(SUBJECTS['person' if speaker.chance(0.12) else gender])
        if noun not in SUBJECTS['person']:
            self.attributes['gender'] = gender
        if speaker.chance(0.12) and speaker.person.build != 'average':
            build = dict(slim=('slim', 'thin', 'slender'), heavy=('heavy', 'stout', 'large'))[speaker.person.build]
            noun = f'{speaker.one_of(build)} {noun}'
            self.attributes['build'] = speaker.person.build
        forms = (f'the {noun}', f'the {noun}', with_article(noun), with_article(noun), f'this {noun}')
        return noun if speaker.chance(0.05) else speaker.one_of(forms), with_article(noun)

    def pick(self, part: str) -> bool:
        """Take a part off the list of what is still to be said."""
        if part in self.parts:
            self.parts.remove(part)
            return True
        return False

    def opening(self) -> str:
        """The first sentence: who, the clothes, and at most one thing more."""
        speaker = self.speaker
        subject, indefinite = self.subject()
        worn = [self.tell(speaker.describe('top'))]
        if 'bottom' in self.parts and speaker.chance(0.88):
            self.pick('bottom')
            worn.append(self.tell(speaker.describe('bottom')))
        worn += [self.tell(speaker.describe(part)) for part in _WORN if speaker.chance(0.5) and self.pick(part)]
        words = dict(s=subject, i=indefinite, w=_listed(worn))
        kind = speaker.rng.random()
        if kind < 0.3 and self.pick('hair'):
            form = speaker.one_of(_OPENINGS_HAVING)
            words['x'] = self.tell(speaker.describe('hair'))
        elif kind < 0.55 and self.pick('pose'):
            form = speaker.one_of(_OPENINGS_POSE)
            words['p'] = self.tell(speaker.pose())
        elif kind < 0.75 and self.pick('bag'):
            form = speaker.one_of(_OPENINGS_CARRY)
            words['b'] = self.tell(speaker.carry('participle'))
        else:
            form = speaker.one_of(_OPENINGS)
        return form.format(**words)

    def clause(self, part: str) -> tuple[str, bool]:
        """A clause about one part, and whether it has a subject of its own ('his shoes are ...')."""
        speaker = self.speaker
        if speaker.chance(0.4) and (own := speaker.copula(part)):
            return self.tell(own), True
        if part == 'pose':
            verb = speaker.one_of(('is', 'is', 'appears to be', 'seems to be'))
            return f'{verb} {self.tell(speaker.pose())}', False
        if part == 'bag':
            form = speaker.one_of(('finite', 'participle'))
            also = speaker.one_of(('is ', 'is also ')) if form == 'participle' else ''
            return also + self.tell(speaker.carry(form)), False
        verbs = ('has',) if part == 'hair' else ('has on', 'wears', 'is wearing', 'also wears', 'is also wearing')
        return f'{speaker.one_of(verbs)} {self.tell(speaker.describe(part))}', False

    def sentences(self) -> list[str]:
        """The whole caption, sentence by sentence, without capitals and stops."""
        result = [self.opening()]
        joined = True
        for part in list(self.speaker.rng.permutation(self.parts)):
            text, own = self.clause(str(part))
            clause = text if own else f'{self.pronoun} {text}'
            if not joined and self.speaker.chance(0.5):
                result[-1] += f' and {clause if own else text}' if self.follows else f' and {clause}'
                joined = True
            else:
                result.append(clause)
                joined = False
            self.follows = not own
        return result


def _listed(items: list[str]) -> str:
    """Join with commas and a final 'and'."""
    return items[0] if len(items) == 1 else f'{", ".join(items[:-1])} and {items[-1]}'


def _punctuated(sentences: list[str], rng: np.random.Generator) -> str:
    """Capitals and full stops; one caption in seven comes without, as hasty annotators write."""
    if rng.random() < 0.14:
        text = ' '.join(sentences).replace(',', '')
        return text[0].upper() + text[1:] + ('.' if rng.random() < 0.7 else '')
    return ' '.join(sentence[0].upper() + sentence[1:] + '.' for sentence in sentences)


def describe_image(person: Person, shot: Shot, rng: np.random.Generator, wording: str = 'all') -> list[Phrase]:
    """Write the two captions of one image, each of which omits something that the other one states.

    A caption states only what is true and visible in this image.

    Args:
        person: The attributes.
        shot: View, pose and what hides the feet.
        rng: Chooses sentence shapes, synonyms and omissions.
        wording: Which words there are, see :func:`~mmtbps.toy.wording.choose_words`. Defaults to 'all'.

    Returns:
        Two captions with the attributes that each of them states.
    """
    visible = visible_parts(person, shot)
    core = [part for part in visible if part == 'bottom']
    optional = [str(part) for part in rng.permutation([part for part in visible if part != 'bottom'] + ['pose'])]
    keep = max(1, min(len(optional) - 1, 1 + int(rng.random() < 0.7) + int(rng.random() < 0.2)))
    captions = []
    for chosen in (optional[:keep], optional[len(optional) - keep :]):
        writer = _Writer(Speaker(person, shot, rng, wording), core + chosen)
        captions.append(Phrase(_punctuated(writer.sentences(), rng), writer.attributes))
    return captions
