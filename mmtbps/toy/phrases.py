"""Noun phrases and clauses about one visible part of a toy pedestrian."""

from typing import NamedTuple

import numpy as np

from .attributes import Person, Shot
from .lexicon import COLOR_WORDS, GENERIC_NOUNS, HAIR_NOUNS, HAIR_WORDS, NOUNS, PATTERN_WORDS
from .scene import GROUNDS
from .wording import choose_words

__all__ = ['Phrase', 'Speaker', 'visible_parts']


class Phrase(NamedTuple):
    """Part of a sentence and the attributes that it states.

    Args:
        text: The words.
        attributes: Names and values of the attributes (fields of ``Person``) that the words state.
    """

    text: str
    attributes: dict[str, str]


# {c} ground colour, {a} accent, {aa} accent with 'a', {n} noun, {w} a word for the pattern; the index says which words
# fit.
_PATTERN_FORMS: dict[str, tuple[tuple[str, tuple[int, ...]], ...]] = dict(
    stripes=(
        ('{c} and {a} {w} {n}', (0, 4)),
        ('{c} {n} with {a} {w}', (1, 2, 5)),
        ('{w} {c} and {a} {n}', (0,)),
        ('{c} {w} {n}', (0, 4)),
    ),
    plaid=(('{c} and {a} {w} {n}', (0, 1, 2, 3)), ('{c} {w} {n}', (0, 1, 2)), ('{c} {n} with {a} {w}', (4, 6))),
    dots=(('{c} {n} with {a} {w}', (2, 3, 5)), ('{c} and {a} {w} {n}', (0, 1, 4)), ('{c} {w} {n}', (0, 1, 4))),
    print=(('{c} {n} with {aa} {w}', (1, 2, 3, 4, 5, 6)), ('{c} {w} {n}', (0,))),
    block=(('{c} and {a} {w} {n}', (0, 1)), ('{c} {n} with {aa} {w}', (2, 3, 4))),
    stripe=(('{c} {n} with {aa} {w}', (0, 1, 4)), ('{c} {n} with {a} {w}', (2, 3))),
)
_PLACES = {
    'backpack': (' on {poss} back', ' on {poss} shoulders', ' over both shoulders', ''),
    'shoulder bag': (' over {poss} shoulder', ' across {poss} body', ' at {poss} hip', ''),
    'handbag': (' in {poss} hand', ' in one hand', ''),
    'plastic bag': (' in {poss} hand', ' in one hand', ''),
    'suitcase': (' behind', ' by {poss} side', ''),
}
_GROUND_WORDS = dict(
    pavement=('on the pavement', 'along the sidewalk', 'on a paved path'),
    grass=('on the grass', 'across the lawn', 'through a park'),
    floor=('inside a building', 'across the floor', 'indoors'),
    road=('on the road', 'across the street', 'on the asphalt'),
    brick=('in front of a brick wall', 'next to a wall', 'past a brick building'),
    tiles=('on the tiles', 'through a mall', 'on a tiled floor'),
)


def visible_parts(person: Person, shot: Shot) -> list[str]:
    """List what of a person an image shows, beside the clothes of the torso, which it always does.

    Args:
        person: The attributes.
        shot: View, pose and what hides the feet.

    Returns:
        Of 'bottom', 'shoes', 'bag', 'hat', 'hair', 'glasses', 'scarf', in this order.
    """
    shown = dict(
        bottom=person.top_kind != 'dress'
        and not (person.top_kind == 'coat' and person.bottom_kind in ('shorts', 'skirt')),
        shoes=shot.feet_hidden == 'no',
        bag=person.bag_kind != 'none',
        hat=person.hat_kind != 'none',
        hair=person.hair_style in ('medium', 'long') if person.hat_kind != 'none' else True,
        glasses=person.glasses != 'none' and shot.view != 'back',
        scarf=person.scarf != 'none',
    )
    if person.hair_style == 'ponytail' and shot.view == 'front':
        shown['hair'] = False
    return [part for part, visible in shown.items() if visible]


def with_article(text: str) -> str:
    """Put 'a' or 'an' before a noun phrase."""
    return f'{"an" if text[0] in "aeiou" and not text.startswith("one") else "a"} {text}'


class Speaker:
    """Finds words for the parts of one person in one image.

    Args:
        person: The attributes.
        shot: View and pose.
        rng: Chooses among synonyms, forms and omissions.
        wording: Which words there are, see :func:`choose_words`. Defaults to 'all'.
    """

    def __init__(self, person: Person, shot: Shot, rng: np.random.Generator, wording: str = 'all') -> None:
        self.person = person
        self.shot = shot
        self.rng = rng
        self.wording = wording
        self.poss = 'his' if person.gender == 'man' else 'her'

    def one_of(self, options: tuple[str, ...]) -> str:
        """Choose evenly."""
        options = choose_words(options, self.wording)
        return options[int(self.rng.integers(len(options)))]

    def word(self, synonyms: tuple[str, ...]) -> str:
        """Choose among synonyms, the first of which is the usual one."""
        usual = choose_words(synonyms, self.wording)[0]
        return usual if self.chance(0.4) else self.one_of(synonyms)

    def chance(self, probability: float) -> bool:
        """Toss a coin that shows True with this probability."""
        return bool(self.rng.random() < probability)

    def noun(self, part: str) -> Phrase:
        """Name the kind of a part, or leave it open with a generic noun."""
        field = part if part in ('glasses', 'scarf') else f'{part}_kind'
        kind = 'scarf' if part == 'scarf' else getattr(self.person, field)
        generic = tuple(word for word, kinds in GENERIC_NOUNS.get(part, {}).items() if kind in kinds)
        if generic and self.chance(0.18):
            return Phrase(self.one_of(generic), {})
        return Phrase(self.word(NOUNS[part][kind]), {} if part == 'scarf' else {field: kind})

    def describe(self, part: str) -> Phrase:
        """Describe one part with a noun phrase and its article.

        Args:
            part: 'top', 'bottom', 'shoes', 'bag', 'hat', 'glasses', 'scarf' or 'hair'.

        Returns:
            For instance 'a pair of black pants'.
        """
        if part == 'hair':
            return self._hair()
        noun = self.noun(part)
        if part == 'glasses':
            return Phrase(self.one_of(('{n}', 'a pair of {n}')).format(n=noun.text), noun.attributes)
        text, attributes = self._garment(part, noun)
        plural = part == 'shoes' or (part == 'bottom' and self.person.bottom_kind != 'skirt')
        if not plural:
            text = with_article(text)
        elif self.chance(0.25) and noun.text != 'footwear':
            text = f'a pair of {text}'
        return Phrase(text, attributes)

    def _garment(self, part: str, noun: Phrase) -> Phrase:
        """Colour, pattern and noun of a part, any of which may be left out."""
        color = getattr(self.person, 'scarf' if part == 'scarf' else f'{part}_color')
        pattern = getattr(self.person, f'{part}_pattern', 'plain')
        if self.chance(0.06) and noun.attributes:
            return noun
        attributes = {**noun.attributes, 'scarf' if part == 'scarf' else f'{part}_color': color}
        shown = pattern != 'print' or self.shot.view == 'front'
        words = dict(c=self.word(COLOR_WORDS[color]), n=noun.text)
        if pattern == 'plain' or not shown or self.chance(0.15):
            form = '{c} {n}' if self.chance(0.88) else '{c} colored {n}'
            if part in ('top', 'bottom') and pattern == 'plain' and self.chance(0.08):
                form = self.one_of(PATTERN_WORDS['plain'][:2]) + ' {c} {n}'
                attributes[f'{part}_pattern'] = 'plain'
            return Phrase(form.format(**words), attributes)
        forms = _PATTERN_FORMS[pattern]
        form, fitting = forms[int(self.rng.integers(len(forms)))]
        accent = getattr(self.person, f'{part}_accent')
        words['a'] = self.word(COLOR_WORDS[accent])
        words['aa'] = with_article(words['a'])
        words['w'] = self.one_of(tuple(PATTERN_WORDS[pattern][i] for i in fitting))
        attributes[f'{part}_pattern'] = pattern
        if '{a' in form:
            attributes[f'{part}_accent'] = accent
        return Phrase(form.format(**words), attributes)

    def _hair(self) -> Phrase:
        style, color = self.person.hair_style, self.person.hair_color
        if style == 'bald':
            noun = self.one_of(HAIR_NOUNS['bald'])
            return Phrase(noun if noun.startswith('no') else f'a {noun}', dict(hair_style='bald'))
        color_word = self.word(HAIR_WORDS['color'][color])
        attributes = dict(hair_color=color)
        if style in HAIR_NOUNS:
            noun = self.one_of(HAIR_NOUNS[style])
            form = self.one_of(
                ('{c} hair in a {n}', '{c} hair tied in a {n}', '{ac} {n}', '{c} hair pulled into a {n}')
            )
            return Phrase(
                form.format(c=color_word, n=noun, ac=with_article(color_word)), dict(attributes, hair_style=style)
            )
        style_word = self.word(HAIR_WORDS['style'][style])
        form = self.one_of(('{s} {c} hair', '{s} {c} hair', '{s} {c} hair', '{c} hair', '{s} hair'))
        said = {
            k: v
            for k, v in dict(attributes, hair_style=style).items()
            if ('{c}' if k == 'hair_color' else '{s}') in form
        }
        return Phrase(form.format(s=style_word, c=color_word), said)

    def copula(self, part: str) -> 'Phrase | None':
        """Say the colour of a plain part in a clause of its own ('her shoes are white'), where that reads well."""
        if part == 'hair':
            if self.person.hair_style not in HAIR_WORDS['style']:
                return None
            style, color = self.person.hair_style, self.person.hair_color
            words = (self.word(HAIR_WORDS['style'][style]), self.word(HAIR_WORDS['color'][color]))
            return Phrase(f'{self.poss} hair is {words[0]} and {words[1]}', dict(hair_style=style, hair_color=color))
        if part not in ('bottom', 'shoes', 'bag', 'hat') or getattr(self.person, f'{part}_pattern', 'plain') != 'plain':
            return None
        noun = self.noun(part)
        plural = part == 'shoes' or (part == 'bottom' and self.person.bottom_kind != 'skirt')
        verb = 'are' if plural and noun.text != 'footwear' else 'is'
        color = getattr(self.person, f'{part}_color')
        return Phrase(
            f'{self.poss} {noun.text} {verb} {self.word(COLOR_WORDS[color])}',
            {**noun.attributes, f'{part}_color': color},
        )

    def carry(self, form: str) -> Phrase:
        """Say what is carried, with the verb as 'finite' ('carries') or 'participle' ('carrying')."""
        kind, (text, attributes) = self.person.bag_kind, self.describe('bag')
        verbs = dict(suitcase=('pulls', 'drags', 'rolls'), backpack=('carries', 'wears', 'has')).get(
            kind, ('carries', 'holds', 'has')
        )
        verb = self.one_of(verbs)
        if form == 'participle':
            verb = {'carries': 'carrying', 'wears': 'wearing', 'has': 'carrying', 'holds': 'holding'}.get(
                verb, verb.removesuffix('s') + ('ging' if verb == 'drags' else 'ing')
            )
        return Phrase(f'{verb} {text}{self.one_of(_PLACES[kind]).format(poss=self.poss)}', attributes)

    def pose(self) -> Phrase:
        """Say what the person is doing, as a participle ('walking away from the camera'); it states no attribute."""
        shot = self.shot
        move = ('walking', 'walking', 'strolling', 'striding', 'moving', 'stepping')
        verb = self.one_of(move if shot.walking else ('standing', 'standing', 'waiting', 'posing'))
        views = dict(
            front=('toward the camera', 'towards the viewer', 'forward') if shot.walking else ('facing the camera',),
            back=('away from the camera', 'away from the viewer')
            if shot.walking
            else ('facing away', 'with {poss} back to us'),
            side=('to the {side}', 'toward the {side}') if shot.walking else ('sideways', 'in profile'),
        )
        text = verb
        if self.chance(0.5):
            text += ' ' + self.one_of(views[shot.view]).format(poss=self.poss, side=shot.side)
        if self.chance(0.25) or text == verb:
            text += ' ' + self._ground()
        if shot.arm == 'phone' and self.chance(0.6):
            phones = (' while talking on the phone', ' with a phone at {poss} ear', ' with one hand at {poss} ear')
            text += self.one_of(phones).format(poss=self.poss)
        elif shot.arm == 'bent' and self.chance(0.4):
            text += self.one_of((' with one arm bent', ' with an elbow bent', ' holding one arm up in front'))
        return Phrase(text, {})

    def _ground(self) -> str:
        words = _GROUND_WORDS[GROUNDS[self.shot.camera]]
        standing = [w for w in words if w.split()[0] not in ('along', 'across', 'through', 'past')]
        return self.one_of(words if self.shot.walking else tuple(standing))
