"""What a toy pedestrian looks like, and how one image of it was taken."""

from dataclasses import dataclass, replace

import numpy as np

__all__ = [
    'LOOK_ALIKE_BLOCK',
    'LOOK_ALIKE_GROUP',
    'SPLITS',
    'Person',
    'Shot',
    'look_alike_index',
    'sample_person',
    'sample_shots',
    'stream',
]

SPLITS = ('train', 'val', 'test')

# The last LOOK_ALIKE_GROUP of every LOOK_ALIKE_BLOCK identities of a split differ in one attribute only.
LOOK_ALIKE_BLOCK = 12
LOOK_ALIKE_GROUP = 3

# Values and their weights. Clothes are mostly dark or neutral, as on a street: the same colours meet often.
_TOP_COLORS = dict(
    black=18, white=15, gray=13, navy=7, blue=8, red=7, pink=5, green=5, beige=5, brown=4, purple=4, yellow=3, orange=3
)
_BOTTOM_COLORS = dict(black=28, navy=17, blue=17, gray=14, beige=10, white=6, brown=5, red=3, green=3)
_SHOE_COLORS = dict(black=34, white=26, brown=14, gray=9, red=7, blue=6, pink=4)
_BAG_COLORS = dict(black=28, brown=14, red=12, blue=12, white=8, pink=8, gray=8, green=6, yellow=4)
_HAT_COLORS = dict(black=25, white=18, red=16, blue=14, beige=12, gray=8, yellow=7)
_HAIR_COLORS = dict(black=50, brown=25, blonde=13, red=6, gray=6)
_SKINS = dict(light=5, medium=3, dark=2)
_BUILDS = dict(average=60, slim=22, heavy=18)
_HATS = {'none': 76, 'cap': 12, 'beanie': 7, 'sun hat': 5}
_GLASSES = {'none': 78, 'glasses': 14, 'sunglasses': 8}
_SCARVES = dict(none=88, red=3, white=3, yellow=2, blue=2, black=2)
_BAGS = {'none': 28, 'backpack': 24, 'shoulder bag': 18, 'handbag': 14, 'plastic bag': 9, 'suitcase': 7}
_TOP_PATTERNS = dict(plain=46, stripes=14, plaid=10, dots=7, print=12, block=11)
_BOTTOM_PATTERNS = dict(plain=82, plaid=9, stripe=9)
_SHOES = dict(sneakers=50, boots=20, sandals=14, flats=16)

_HAIR_STYLES = dict(
    man=dict(short=80, medium=10, bald=10),
    woman=dict(long=40, medium=18, short=10, ponytail=20, bun=12),
)
_TOPS = dict(
    man={'t-shirt': 28, 'tank top': 7, 'shirt': 18, 'sweater': 13, 'hoodie': 14, 'jacket': 14, 'coat': 6},
    woman={
        't-shirt': 22,
        'tank top': 10,
        'shirt': 11,
        'sweater': 12,
        'hoodie': 8,
        'jacket': 11,
        'coat': 9,
        'dress': 17,
    },
)
_BOTTOMS = dict(
    man=dict(pants=64, shorts=28, capris=8),
    woman=dict(pants=46, shorts=20, skirt=20, capris=14),
)

# Contrasting partners for a pattern; the first that differs from the garment's own colour by enough is drawn.
_ACCENTS = dict(
    black=('white', 'red', 'gray', 'yellow'),
    navy=('white', 'red', 'yellow', 'pink'),
    brown=('beige', 'white', 'orange'),
    blue=('white', 'yellow', 'black'),
    gray=('black', 'red', 'white'),
    white=('black', 'blue', 'red', 'green', 'navy', 'pink'),
    beige=('brown', 'black', 'navy', 'red'),
    red=('white', 'black', 'navy'),
    pink=('white', 'black', 'purple'),
    green=('white', 'black', 'yellow'),
    purple=('white', 'black', 'yellow'),
    yellow=('black', 'blue', 'white'),
    orange=('black', 'white', 'blue'),
)
_PATTERNED_TOPS = {
    'coat': ('plain', 'plaid'),
    'jacket': ('plain', 'block', 'stripes'),
    'hoodie': ('plain', 'block', 'print', 'stripes'),
    'shirt': ('plain', 'plaid', 'stripes', 'dots'),
    'dress': ('plain', 'stripes', 'dots', 'plaid', 'block'),
}

_CAMERAS = ('cam_a', 'cam_b', 'cam_c', 'cam_d', 'cam_e', 'cam_f')


@dataclass(frozen=True)
class Person:
    """The attributes of one identity; a field of something absent (the colour of no bag) is latent.

    Patterns use ``*_accent`` as their second colour. With ``top_kind='dress'`` there is no bottom.
    """

    gender: str
    build: str
    skin: str
    hair_style: str
    hair_color: str
    hat_kind: str
    hat_color: str
    glasses: str
    scarf: str
    top_kind: str
    top_color: str
    top_pattern: str
    top_accent: str
    bottom_kind: str
    bottom_color: str
    bottom_pattern: str
    bottom_accent: str
    shoes_kind: str
    shoes_color: str
    bag_kind: str
    bag_color: str


@dataclass(frozen=True)
class Shot:
    """How one image was taken; ``walking`` and ``arm`` are the pose, ``side`` the hand of the arm and the bag."""

    camera: str
    view: str
    walking: bool
    arm: str
    side: str
    feet_hidden: str


def _pick(rng: np.random.Generator, weights: dict[str, int], exclude: tuple[str, ...] = ()) -> str:
    """Draw a key in proportion to its weight."""
    items = [(key, weight) for key, weight in weights.items() if key not in exclude]
    rest = rng.random() * sum(weight for _, weight in items)
    for key, weight in items:
        rest -= weight
        if rest < 0:
            return key
    return items[-1][0]


def _choice(rng: np.random.Generator, values: tuple[str, ...]) -> str:
    return values[int(rng.integers(len(values)))]


def stream(seed: int, split: str, index: int, purpose: int) -> np.random.Generator:
    """Make a generator of its own for one purpose of one identity, so that no order of drawing matters.

    Args:
        seed: Seed of the data set.
        split: 'train', 'val' or 'test'.
        index: Number of the identity within its split, from 0.
        purpose: 0 for the attributes, 1 for the shots, 2 + i for image i and its captions.

    Returns:
        Independent of every other combination of arguments.
    """
    return np.random.default_rng([seed, SPLITS.index(split), index, purpose])


def _sample(rng: np.random.Generator) -> Person:
    gender = _choice(rng, ('man', 'woman'))
    top_kind = _pick(rng, _TOPS[gender])
    top_color, bottom_color = _pick(rng, _TOP_COLORS), _pick(rng, _BOTTOM_COLORS)
    patterns = _PATTERNED_TOPS.get(top_kind, tuple(_TOP_PATTERNS))
    bottom_kind = _pick(rng, _BOTTOMS[gender])
    return Person(
        gender=gender,
        build=_pick(rng, _BUILDS),
        skin=_pick(rng, _SKINS),
        hair_style=_pick(rng, _HAIR_STYLES[gender]),
        hair_color=_pick(rng, _HAIR_COLORS),
        hat_kind=_pick(rng, _HATS),
        hat_color=_pick(rng, _HAT_COLORS),
        glasses=_pick(rng, _GLASSES),
        scarf=_pick(rng, _SCARVES, exclude=(top_color,)),
        top_kind=top_kind,
        top_color=top_color,
        top_pattern=_pick(rng, {name: _TOP_PATTERNS[name] for name in patterns}),
        top_accent=_choice(rng, _ACCENTS[top_color]),
        bottom_kind=bottom_kind,
        bottom_color=bottom_color,
        bottom_pattern=_pick(rng, _BOTTOM_PATTERNS, exclude=('stripe',) if bottom_kind == 'skirt' else ()),
        bottom_accent=_choice(rng, _ACCENTS[bottom_color]),
        shoes_kind=_pick(rng, _SHOES),
        shoes_color=_pick(rng, _SHOE_COLORS),
        bag_kind=_pick(rng, _BAGS),
        bag_color=_pick(rng, _BAG_COLORS),
    )


def _alternatives(person: Person) -> dict[str, dict[str, int]]:
    """The attributes a look-alike may differ in, with their values: only such as can be seen and told."""
    fields = dict(top_color=_TOP_COLORS, shoes_color=_SHOE_COLORS, bag_kind=_BAGS, hat_kind=_HATS)
    fields['top_kind'] = {
        kind: weight for kind, weight in _TOPS[person.gender].items() if kind not in ('dress', 'coat')
    }
    if person.top_kind in ('dress', 'coat') or person.top_pattern != 'plain':  # not every kind comes in every pattern
        del fields['top_kind']
    if person.top_kind not in ('dress', 'coat'):  # which hide a bottom or some of it
        fields['bottom_color'] = _BOTTOM_COLORS
        if person.bottom_pattern == 'plain':
            fields['bottom_kind'] = _BOTTOMS[person.gender]
    if person.bag_kind != 'none':
        fields['bag_color'] = _BAG_COLORS
    if person.hat_kind == 'none' and person.hair_style != 'bald':
        fields |= dict(hair_style=_HAIR_STYLES[person.gender], hair_color=_HAIR_COLORS)
    if person.hat_kind != 'none':
        fields['hat_color'] = _HAT_COLORS
    return fields


def _vary(base: Person, rng: np.random.Generator, member: int) -> Person:
    """The ``member``-th look-alike of ``base``: all members differ in the same attribute, pairwise."""
    fields = _alternatives(base)
    name = _choice(rng, tuple(sorted(fields)))
    taken = [getattr(base, name)]
    if name.endswith('_color') and hasattr(base, accent := name.replace('_color', '_accent')):
        taken.append(getattr(base, accent))
    if name == 'top_color':
        taken.append(base.scarf)
    for _ in range(member):
        taken.append(_pick(rng, fields[name], exclude=tuple(taken)))
    return replace(base, **{name: taken[-1]})


def look_alike_index(index: int) -> int:
    """The place of identity ``index`` of a split in its group of look-alikes.

    Args:
        index: Number of the identity within its split, from 0.

    Returns:
        -1 for an identity that belongs to no group, else 0 .. LOOK_ALIKE_GROUP - 1.
    """
    return max(-1, index % LOOK_ALIKE_BLOCK - (LOOK_ALIKE_BLOCK - LOOK_ALIKE_GROUP))


def sample_person(seed: int, split: str, index: int) -> Person:
    """Draw the attributes of one identity, a function of the arguments alone.

    A quarter of the identities (:data:`LOOK_ALIKE_GROUP` of every :data:`LOOK_ALIKE_BLOCK`) come in groups that differ
    in a single attribute.

    Args:
        seed: Seed of the data set.
        split: 'train', 'val' or 'test'.
        index: Number of the identity within its split, from 0.

    Returns:
        The attributes.
    """
    member = max(look_alike_index(index), 0)
    rng = stream(seed, split, index - member, 0)
    base = _sample(rng)
    return _vary(base, rng, member) if member else base


def sample_shots(seed: int, split: str, index: int, count: int) -> list[Shot]:
    """Draw how the images of one identity are taken; views and cameras change from image to image.

    Args:
        seed: Seed of the data set.
        split: 'train', 'val' or 'test'.
        index: Number of the identity within its split, from 0.
        count: Number of images.

    Returns:
        One shot per image.
    """
    rng = stream(seed, split, index, 1)
    views = rng.permutation(['front', 'back', 'side'])
    cameras = rng.permutation(_CAMERAS)
    return [
        Shot(
            camera=str(cameras[number % len(cameras)]),
            view=str(views[number % len(views)]),
            walking=bool(rng.random() < 0.6),
            arm=_pick(rng, dict(down=70, phone=15, bent=15)),
            side=_choice(rng, ('left', 'right')),
            feet_hidden=_pick(rng, dict(no=84, crop=8, occluded=8)),
        )
        for number in range(count)
    ]
