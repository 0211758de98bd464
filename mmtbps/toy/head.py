"""Draws head, hair, hat, glasses and scarf of a toy pedestrian."""

from typing import TYPE_CHECKING

from .painter import COLORS, HAIR, SKIN, Painter, darker

if TYPE_CHECKING:
    from .figure import Figure

__all__ = ['draw_head']


def draw_head(painter: Painter, figure: 'Figure') -> None:
    """Draw everything above the collar.

    Args:
        painter: Draws on the canvas.
        figure: Attributes, view and pose.
    """
    person, view = figure.person, figure.shot.view
    if view != 'back':
        _draw_hair_behind(painter, figure)
    skin = SKIN[person.skin]
    painter.ellipse((0, 0.07), (0.054, 0.07), darker(skin, 0.8))
    painter.ellipse((0, 0.07), (0.049, 0.066), skin)
    if person.scarf != 'none':
        painter.ellipse((0, 0.155), (0.068, 0.03), COLORS[person.scarf])
        if view != 'back':
            painter.line([(0.02, 0.17), (0.03, 0.3)], 0.036, COLORS[person.scarf])
    if view != 'back':
        _draw_face(painter, figure)
    _draw_hair(painter, figure)
    _draw_hat(painter, figure)


def _draw_face(painter: Painter, figure: 'Figure') -> None:
    facing, person = figure.facing, figure.person
    side = figure.shot.view == 'side'
    eyes = [0.032 * facing] if side else [-0.02, 0.02]
    if side:
        painter.ellipse((0.052 * facing, 0.08), (0.012, 0.012), SKIN[person.skin])
    if person.glasses == 'none':
        for x in eyes:
            painter.ellipse((x, 0.068), (0.006, 0.005), (40, 40, 50))
        return
    frame = (20, 20, 20)
    painter.line([(-0.05, 0.066), (0.05, 0.066)], 0.006, frame, outline=False)
    for x in eyes:
        painter.ellipse((x, 0.07), (0.02, 0.017), frame)
        if person.glasses == 'glasses':
            painter.ellipse((x, 0.07), (0.012, 0.01), (236, 226, 216))


def _draw_hair_behind(painter: Painter, figure: 'Figure') -> None:
    """Long hair falls behind the face; a pony tail shows from the side."""
    hair = HAIR[figure.person.hair_color]
    style, facing = figure.person.hair_style, figure.facing
    if figure.shot.view == 'side':
        back = -facing
        if style == 'long':
            painter.polygon([(0, 0.03), (back * 0.07, 0.05), (back * 0.085, 0.27), (back * 0.01, 0.27)], hair)
        elif style == 'medium':
            painter.polygon([(0, 0.03), (back * 0.07, 0.05), (back * 0.065, 0.16), (0, 0.16)], hair)
        elif style == 'ponytail':
            painter.line([(back * 0.05, 0.05), (back * 0.1, 0.1), (back * 0.09, 0.23)], 0.038, hair)
    elif style == 'long':
        painter.polygon([(-0.062, 0.03), (0.062, 0.03), (0.085, 0.27), (-0.085, 0.27)], hair)
    elif style == 'medium':
        painter.polygon([(-0.062, 0.04), (0.062, 0.04), (0.068, 0.155), (-0.068, 0.155)], hair)


def _draw_hair(painter: Painter, figure: 'Figure') -> None:
    style, view = figure.person.hair_style, figure.shot.view
    hair = HAIR[figure.person.hair_color]
    if style == 'bald':
        return
    if view == 'back':
        painter.ellipse((0, 0.064), (0.056, 0.066), hair)
        if style == 'long':
            painter.polygon([(-0.058, 0.05), (0.058, 0.05), (0.075, 0.27), (-0.075, 0.27)], hair)
        elif style == 'medium':
            painter.polygon([(-0.058, 0.05), (0.058, 0.05), (0.064, 0.155), (-0.064, 0.155)], hair)
        elif style == 'ponytail':
            painter.line([(0, 0.08), (0, 0.25)], 0.042, hair)
            painter.ellipse((0, 0.085), (0.018, 0.01), (40, 40, 200))
    elif view == 'side':
        back = -figure.facing
        painter.ellipse((0, 0.052), (0.058, 0.055), hair, 180, 360)
        painter.polygon([(back * 0.057, 0.05), (0.0, 0.04), (back * 0.012, 0.11), (back * 0.05, 0.11)], hair, False)
    else:
        painter.ellipse((0, 0.05), (0.057, 0.052), hair, 180, 360)
    if style == 'bun':
        painter.ellipse((-figure.facing * 0.03 if view == 'side' else 0, -0.012), (0.032, 0.03), hair)
        painter.ellipse((-figure.facing * 0.03 if view == 'side' else 0, -0.012), (0.016, 0.014), darker(hair))


def _draw_hat(painter: Painter, figure: 'Figure') -> None:
    kind, view = figure.person.hat_kind, figure.shot.view
    color = COLORS[figure.person.hat_color]
    if kind == 'none':
        return
    painter.ellipse((0, 0.045), (0.062, 0.062), color, 180, 360)
    if kind == 'beanie':
        painter.line([(-0.056, 0.04), (0.056, 0.04)], 0.026, darker(color, 0.8), outline=False)
        painter.ellipse((0, -0.022), (0.018, 0.016), darker(color, 0.8))
    elif kind == 'sun hat':
        painter.ellipse((0, 0.04), (0.12, 0.02), darker(color, 0.85))
    elif view == 'side':
        painter.line([(0, 0.044), (0.105 * figure.facing, 0.052)], 0.018, darker(color), outline=False)
    elif view == 'front':
        painter.ellipse((0, 0.046), (0.06, 0.018), darker(color))
