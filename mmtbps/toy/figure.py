"""Draws the body and the clothes of a toy pedestrian."""

from dataclasses import dataclass

import numpy as np

from .attributes import Person, Shot
from .carried import draw_bag, draw_bag_behind
from .head import draw_head
from .painter import COLORS, SKIN, Color, Painter, Point, Texture, darker, make_texture

__all__ = ['Figure', 'draw_figure']

_BUILD_WIDTH = dict(slim=0.84, average=1.0, heavy=1.24)
# How far down a garment reaches, in body heights.
_BOTTOM_ENDS = dict(shorts=0.64, capris=0.79, pants=0.94, skirt=0.67)
_SLEEVE_ENDS = {'t-shirt': 0.5, 'tank top': 0.0, 'dress': 0.42}  # share of the arm; long sleeves otherwise


@dataclass(frozen=True)
class Figure:
    """Who is drawn, how, and where the joints are.

    Args:
        person: The attributes.
        shot: View and pose.
        facing: 1 or -1: the x direction of the eyes in a side view, of the busy hand otherwise.
        width: Factor on all widths, from the build.
        shoulder, waist, hip (float): Half widths of the torso in this view.
        legs: (hip, knee, ankle) of either leg, the farther one first.
        arms: (shoulder, elbow, hand) of either arm, the busy one last.
    """

    person: Person
    shot: Shot
    facing: int
    width: float
    shoulder: float
    waist: float
    hip: float
    legs: list[list[Point]]
    arms: list[list[Point]]

    @property
    def hand(self) -> Point:
        """The idle hand, which holds what is carried by hand."""
        return self.arms[0][2]


def _pose(person: Person, shot: Shot, rng: np.random.Generator) -> Figure:
    width = _BUILD_WIDTH[person.build]
    facing = 1 if shot.side == 'right' else -1
    swing = (0.5 + 0.5 * rng.random()) if shot.walking else 0.12 * rng.random()
    if shot.view == 'side':
        shoulder, waist, hip = 0.07 * width, 0.062 * width, 0.07 * width
        stride = 0.13 * swing
        legs = [
            [(0.0, 0.48), (way * stride * 0.55, 0.71), (way * stride - 0.02 * facing * swing, 0.945)] for way in (-1, 1)
        ]
        arms = [[(0.0, 0.2), (way * 0.06 * swing, 0.34), (way * 0.11 * swing + 0.02 * facing, 0.47)] for way in (1, -1)]
    else:
        man = person.gender == 'man'
        shoulder = (0.118 if man else 0.1) * width
        waist = (0.095 if man else 0.074) * width
        hip = (0.088 if man else 0.094) * width
        apart = 0.045 * width
        lift = 0.05 * swing * (1 if rng.random() < 0.5 else -1)
        legs = [
            [(way * apart, 0.48), (way * (apart + 0.005), 0.71), (way * (apart + 0.008), 0.945 - max(0.0, way * lift))]
            for way in (-1, 1)
        ]
        arms = [
            [(way * shoulder, 0.2), (way * (shoulder + 0.03), 0.34), (way * (shoulder + 0.035), 0.475)]
            for way in (-facing, facing)
        ]
    if shot.arm != 'down':
        arms[1][1:] = _busy_arm(arms[1][0], shot, facing)
    return Figure(person, shot, facing, width, shoulder, waist, hip, legs, arms)


def _busy_arm(start: Point, shot: Shot, facing: int) -> list[Point]:
    """Elbow and hand of an arm that holds a telephone to the ear, or is bent before the body."""
    x = start[0]
    if shot.arm == 'phone':
        return [(x + 0.06 * facing, 0.29), (0.06 * facing, 0.11)]
    if shot.view == 'side':
        return [(x, 0.34), (x + 0.13 * facing, 0.33)]
    return [(x + 0.035 * facing, 0.34), (0.02 * facing, 0.36)]


def _cut(joints: list[Point], share: float) -> list[Point]:
    """The first ``share`` of a two-bone limb."""
    if share >= 1:
        return joints
    start, middle, end = joints
    near, far, part = (start, middle, share * 2) if share <= 0.5 else (middle, end, share * 2 - 1)
    tip = (near[0] + (far[0] - near[0]) * part, near[1] + (far[1] - near[1]) * part)
    return [start, tip] if share <= 0.5 else [start, middle, tip]


def _draw_legs(painter: Painter, figure: Figure, bottom: 'Texture | None') -> None:
    person, facing = figure.person, figure.facing
    skin = SKIN[person.skin]
    thick = (0.072 if person.gender == 'man' else 0.064) * figure.width
    end = _BOTTOM_ENDS[person.bottom_kind] if bottom is not None else 0.0
    for leg in figure.legs:
        painter.line(leg, 0.045 * figure.width, skin)
        if bottom is not None and person.bottom_kind != 'skirt':
            wide = thick * (1.15 if person.bottom_kind == 'shorts' else 1.0)
            painter.line(_cut(leg, (end - 0.48) / 0.46), wide, bottom)
        _draw_shoe(painter, figure, leg[2], facing)
    if bottom is None or person.bottom_kind == 'skirt':
        return
    painter.polygon([(-figure.hip, 0.43), (figure.hip, 0.43), (figure.hip, 0.52), (-figure.hip, 0.52)], bottom, False)
    if person.bottom_pattern == 'stripe':
        for leg in figure.legs[-1:] if figure.shot.view == 'side' else figure.legs:
            shift = 0.0 if figure.shot.view == 'side' else np.sign(leg[0][0]) * thick * 0.42
            stripe = [(x + shift, y) for x, y in _cut(leg, (end - 0.48) / 0.46)]
            painter.line(stripe, 0.016, COLORS[person.bottom_accent], outline=False)


def _draw_shoe(painter: Painter, figure: Figure, ankle: Point, facing: int) -> None:
    person = figure.person
    color = COLORS[person.shoes_color]
    x, y = ankle
    length, low = (0.07, y + 0.048) if figure.shot.view == 'side' else (0.0, y + 0.045)
    toe = x + facing * length
    if person.shoes_kind == 'boots':
        painter.line([(x, y - 0.1), (x, y + 0.02)], 0.062 * figure.width, color)
    if person.shoes_kind == 'sandals':
        painter.line([(x, low - 0.012), (toe, low - 0.012)], 0.034, SKIN[person.skin], outline=False)
        painter.line([(x - 0.02, low), (toe + 0.02, low)], 0.016, color, outline=False)
        painter.line([(x - 0.02, low - 0.025), (x + 0.02, low - 0.025)], 0.014, color, outline=False)
        return
    painter.line([(x, low - 0.018), (toe, low - 0.012)], 0.038 if person.shoes_kind == 'flats' else 0.054, color)
    if person.shoes_kind == 'sneakers':
        sole = COLORS['white'] if person.shoes_color != 'white' else COLORS['gray']
        painter.line([(x - 0.018, low + 0.008), (toe + 0.018, low + 0.008)], 0.012, sole, outline=False)


def _draw_skirt(painter: Painter, figure: Figure, paint: Texture, top: float, end: float) -> None:
    hip, flare = figure.hip, figure.hip * 1.5
    painter.polygon([(-hip * 0.9, top), (hip * 0.9, top), (flare, end), (-flare, end)], paint)


def _draw_arm(painter: Painter, figure: Figure, arm: list[Point], top: Texture) -> None:
    kind = figure.person.top_kind
    skin = SKIN[figure.person.skin]
    painter.line(arm, 0.036 * figure.width, skin)
    share = _SLEEVE_ENDS.get(kind, 0.96)
    if share > 0:
        wide = 0.05 if kind in ('coat', 'jacket', 'hoodie', 'sweater') else 0.044
        painter.line(_cut(arm, share), wide * figure.width, top)
    painter.ellipse(arm[2], (0.02, 0.022), skin)


def _draw_torso(painter: Painter, figure: Figure, top: Texture) -> None:
    person, view = figure.person, figure.shot.view
    shoulder, waist, hip = figure.shoulder, figure.waist, figure.hip
    low = 0.5 if person.top_kind not in ('shirt', 'hoodie', 'jacket', 'sweater') else 0.52
    neck = 0.045
    if person.top_kind == 'tank top':
        shoulder *= 0.86
    painter.polygon(
        [
            (-neck, 0.16),
            (neck, 0.16),
            (shoulder, 0.185),
            (waist * 1.04, 0.38),
            (hip * 1.06, low),
            (-hip * 1.06, low),
            (-waist * 1.04, 0.38),
            (-shoulder, 0.185),
        ],
        top,
    )
    if person.top_kind == 'coat':
        _draw_skirt(painter, figure, top, 0.4, 0.7)
    if person.top_kind == 'dress':
        _draw_skirt(painter, figure, top, 0.4, 0.68)
    if view == 'front':
        _draw_front(painter, figure, top.outline)
    elif person.top_kind == 'hoodie':
        painter.ellipse((0 if view == 'back' else -0.05 * figure.facing, 0.185), (0.06, 0.05), top.outline)


def _draw_front(painter: Painter, figure: Figure, shade: Color) -> None:
    """What only the front of a garment shows."""
    person = figure.person
    if person.top_kind in ('jacket', 'coat'):
        inner = COLORS['white'] if person.top_color not in ('white', 'gray', 'beige') else COLORS['black']
        end = 0.52 if person.top_kind == 'jacket' else 0.42
        painter.polygon([(-0.034, 0.16), (0.034, 0.16), (0.026, end), (-0.026, end)], inner)
    elif person.top_kind == 'shirt':
        painter.line([(0, 0.18), (0, 0.51)], 0.008, shade, outline=False)
        for way in (-1, 1):
            painter.polygon([(0, 0.165), (way * 0.05, 0.15), (way * 0.045, 0.2)], shade, outline=False)
    elif person.top_kind == 'hoodie':
        painter.ellipse((0, 0.168), (0.068, 0.024), shade)
        painter.polygon([(-0.05, 0.42), (0.05, 0.42), (0.065, 0.49), (-0.065, 0.49)], shade)
    elif person.top_kind in ('t-shirt', 'tank top', 'dress'):
        painter.ellipse((0, 0.16), (0.04, 0.026), SKIN[person.skin])
    if person.top_pattern == 'print':
        accent = COLORS[person.top_accent]
        painter.polygon([(-0.055, 0.24), (0.055, 0.24), (0.055, 0.33), (-0.055, 0.33)], accent, outline=False)
        painter.ellipse((0, 0.285), (0.026, 0.03), darker(accent))


def draw_figure(painter: Painter, person: Person, shot: Shot, rng: np.random.Generator) -> None:
    """Draw one pedestrian.

    Args:
        painter: Draws on the canvas, at the place and size of the body.
        person: The attributes.
        shot: View and pose.
        rng: For what no attribute fixes: stride and shades.
    """
    figure = _pose(person, shot, rng)
    top_color, bottom_color = (_jitter(COLORS[name], rng) for name in (person.top_color, person.bottom_color))
    split = 0.42 if person.top_kind == 'dress' else 0.32
    top = make_texture(painter, top_color, COLORS[person.top_accent], person.top_pattern, split)
    bottom = None
    if person.top_kind != 'dress':
        bottom = make_texture(painter, bottom_color, COLORS[person.bottom_accent], person.bottom_pattern)
    draw_bag_behind(painter, figure)
    _draw_arm(painter, figure, figure.arms[0], top) if shot.view == 'side' else None
    _draw_legs(painter, figure, bottom)
    if bottom is not None and person.bottom_kind == 'skirt':
        _draw_skirt(painter, figure, bottom, 0.45, _BOTTOM_ENDS['skirt'])
    painter.line([(0, 0.11), (0, 0.17)], 0.05, SKIN[person.skin])
    _draw_torso(painter, figure, top)
    arms = figure.arms[1:] if shot.view == 'side' else figure.arms
    if shot.view == 'back':
        draw_head(painter, figure)
        for arm in arms:
            _draw_arm(painter, figure, arm, top)
        draw_bag(painter, figure)
        return
    draw_bag(painter, figure)
    for arm in arms:
        if shot.arm != 'phone':
            _draw_arm(painter, figure, arm, top)
    draw_head(painter, figure)
    if shot.arm == 'phone':
        for arm in arms:
            _draw_arm(painter, figure, arm, top)


def _jitter(color: Color, rng: np.random.Generator) -> Color:
    """No two fabrics of one name have quite the same colour."""
    blue, green, red = np.clip(np.array(color) * rng.uniform(0.88, 1.12) + rng.normal(0, 5, 3), 0, 255)
    return (int(blue), int(green), int(red))
