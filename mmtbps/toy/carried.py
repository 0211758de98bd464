"""Draws what a toy pedestrian carries."""

from typing import TYPE_CHECKING

from .painter import COLORS, Painter, darker

if TYPE_CHECKING:
    from .figure import Figure

__all__ = ['draw_bag', 'draw_bag_behind']


def draw_bag_behind(painter: Painter, figure: 'Figure') -> None:
    """Draw the part of the bag that the body covers.

    Args:
        painter: Draws on the canvas.
        figure: Attributes, view and pose.
    """
    if figure.person.bag_kind != 'backpack':
        return
    color = COLORS[figure.person.bag_color]
    if figure.shot.view == 'front':
        edge = figure.shoulder + 0.022
        painter.polygon([(-edge, 0.2), (edge, 0.2), (edge, 0.42), (-edge, 0.42)], color)


def draw_bag(painter: Painter, figure: 'Figure') -> None:
    """Draw the part of the bag in front of the body.

    Args:
        painter: Draws on the canvas.
        figure: Attributes, view and pose.
    """
    kind = figure.person.bag_kind
    if kind == 'backpack':
        _draw_backpack(painter, figure)
    elif kind == 'shoulder bag':
        _draw_shoulder_bag(painter, figure)
    elif kind != 'none':
        _draw_held(painter, figure)


def _draw_backpack(painter: Painter, figure: 'Figure') -> None:
    color, view = COLORS[figure.person.bag_color], figure.shot.view
    if view == 'front':
        for way in (-1, 1):
            painter.line([(way * 0.062, 0.175), (way * 0.072, 0.38)], 0.026, color)
    elif view == 'back':
        painter.polygon([(-0.07, 0.18), (0.07, 0.18), (0.09, 0.23), (0.09, 0.43), (-0.09, 0.43), (-0.09, 0.23)], color)
        painter.polygon([(-0.06, 0.33), (0.06, 0.33), (0.06, 0.41), (-0.06, 0.41)], darker(color, 0.8))
    else:
        back = -figure.facing
        near, far = back * figure.shoulder * 0.8, back * (figure.shoulder + 0.085)
        painter.polygon([(near, 0.18), (far * 0.85, 0.19), (far, 0.24), (far, 0.43), (near, 0.43)], color)
        painter.line([(-near * 0.4, 0.18), (-near * 0.5, 0.33)], 0.02, color)


def _draw_shoulder_bag(painter: Painter, figure: 'Figure') -> None:
    color, way = COLORS[figure.person.bag_color], figure.facing
    if figure.shot.view == 'side':
        painter.line([(0, 0.18), (-0.01 * way, 0.46)], 0.018, color)
        x = -0.01 * way
    else:
        x = way * (figure.hip + 0.015)
        painter.line([(-way * figure.shoulder * 0.75, 0.18), (x, 0.46)], 0.02, color)
    painter.polygon([(x - 0.065, 0.45), (x + 0.065, 0.45), (x + 0.07, 0.57), (x - 0.07, 0.57)], color)
    painter.polygon([(x - 0.065, 0.45), (x + 0.065, 0.45), (x + 0.06, 0.5), (x - 0.06, 0.5)], darker(color, 0.8))


def _draw_held(painter: Painter, figure: 'Figure') -> None:
    """A bag in the idle hand, or a suitcase that it pulls."""
    color, kind = COLORS[figure.person.bag_color], figure.person.bag_kind
    x, y = figure.hand
    if kind == 'suitcase':
        x += 0.05 if x > 0 else -0.05
        painter.line([figure.hand, (x, 0.68)], 0.012, (60, 60, 60), outline=False)
        painter.polygon([(x - 0.07, 0.67), (x + 0.07, 0.67), (x + 0.07, 0.97), (x - 0.07, 0.97)], color)
        for shift in (-0.03, 0.03):
            painter.line([(x + shift, 0.7), (x + shift, 0.94)], 0.008, darker(color), outline=False)
    elif kind == 'handbag':
        for shift in (-0.035, 0.035):
            painter.line([(x, y), (x + shift, y + 0.06)], 0.01, darker(color), outline=False)
        painter.polygon(
            [(x - 0.06, y + 0.05), (x + 0.06, y + 0.05), (x + 0.075, y + 0.15), (x - 0.075, y + 0.15)], color
        )
    else:
        bottom = y + 0.24
        painter.polygon(
            [(x, y), (x + 0.05, y + 0.08), (x + 0.062, bottom), (x - 0.062, bottom), (x - 0.05, y + 0.08)], color
        )
        painter.line([(x, y + 0.02), (x, y + 0.1)], 0.012, darker(color), outline=False)
