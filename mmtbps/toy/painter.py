"""Colours, textures and the painter that a toy pedestrian is drawn with."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

__all__ = ['COLORS', 'HAIR', 'SKIN', 'Painter', 'Texture', 'darker', 'make_texture']

Color = tuple[int, int, int]
Point = tuple[float, float]
Draw = Callable[[np.ndarray, Any, np.ndarray], Any]

# BGR. Close neighbours (navy and black, beige and brown, gray and white) merge in bad light, as they do in the field.
COLORS: dict[str, Color] = dict(
    black=(32, 28, 28),
    white=(238, 238, 238),
    gray=(140, 136, 134),
    navy=(92, 44, 30),
    blue=(205, 105, 45),
    red=(48, 40, 200),
    pink=(186, 140, 240),
    green=(72, 140, 50),
    beige=(150, 190, 214),
    brown=(42, 72, 112),
    purple=(150, 56, 118),
    yellow=(62, 206, 240),
    orange=(42, 126, 240),
)
SKIN: dict[str, Color] = dict(light=(172, 196, 232), medium=(112, 152, 204), dark=(62, 88, 134))
HAIR: dict[str, Color] = dict(
    black=(26, 24, 24), brown=(36, 62, 98), blonde=(112, 190, 226), red=(40, 76, 176), gray=(168, 166, 164)
)


class Texture:
    """A garment's look: an image as large as the canvas, and the colour of its outline.

    Args:
        image: uint8 (H, W, 3), BGR.
        outline: BGR.
    """

    def __init__(self, image: np.ndarray, outline: Color) -> None:
        self.image = image
        self.outline = outline


def darker(color: Color, factor: float = 0.62) -> Color:
    """Shade a colour; black gets lighter instead, so that its outline still shows.

    Args:
        color: BGR.
        factor: Share of the brightness that is left. Defaults to 0.62, visible after the blur.

    Returns:
        BGR.
    """
    if max(color) < 60:
        return (color[0] + 26, color[1] + 26, color[2] + 26)
    return (int(color[0] * factor), int(color[1] * factor), int(color[2] * factor))


class Painter:
    """Draws in body coordinates: y from 0 (crown) to 1 (soles), x from the body's axis, both in body heights.

    Args:
        image: uint8 canvas (H, W, 3), BGR, painted in place.
        origin: Pixel (x, y) of the crown.
        height: Body height in pixels.
    """

    def __init__(self, image: np.ndarray, origin: Point, height: float) -> None:
        self.image = image
        self.origin = origin
        self.height = height

    def pixels(self, points: list[Point]) -> np.ndarray:
        """Turn body coordinates into int32 pixels (n, 2)."""
        x, y = self.origin
        return np.array([(x + px * self.height, y + py * self.height) for px, py in points]).round().astype(np.int32)

    def _fill(self, paint: 'Color | Texture', box: np.ndarray, margin: int, draw: 'Draw') -> None:
        """Run ``draw`` in the paint, through a mask if the paint is a texture; only pixels near ``box`` change."""
        if isinstance(paint, tuple):
            draw(self.image, paint, np.zeros(2, np.int32))
            return
        height, width = self.image.shape[:2]
        left, top = np.clip(box.min(0) - margin, 0, (width, height))
        right, bottom = np.clip(box.max(0) + margin + 1, 0, (width, height))
        if right <= left or bottom <= top:
            return
        mask = np.zeros((bottom - top, right - left), np.uint8)
        draw(mask, 255, np.array([left, top], np.int32))
        target = self.image[top:bottom, left:right]
        target[:] = cv2.copyTo(paint.image[top:bottom, left:right], mask, target.copy())

    def polygon(self, points: list[Point], paint: 'Color | Texture', outline: bool = True) -> None:
        """Fill a polygon.

        Args:
            points: Corners in body coordinates.
            paint: What to fill it with.
            outline: Whether its edge is drawn darker. Defaults to True.
        """
        corners = self.pixels(points)
        self._fill(paint, corners, 1, lambda image, color, shift: cv2.fillPoly(image, [corners - shift], color))
        if outline:
            edge = darker(paint) if isinstance(paint, tuple) else paint.outline
            cv2.polylines(self.image, [corners], True, edge, 1)

    def line(self, points: list[Point], width: float, paint: 'Color | Texture', outline: bool = True) -> None:
        """Draw a line with round ends, a limb or a strap.

        Args:
            points: Joints in body coordinates.
            width: In body heights.
            paint: What to draw it with.
            outline: Whether its edge is drawn darker. Defaults to True.
        """
        joints = self.pixels(points)
        thickness = max(1, round(width * self.height))
        if outline:
            edge = darker(paint) if isinstance(paint, tuple) else paint.outline
            cv2.polylines(self.image, [joints], False, edge, thickness + 2)
        self._fill(
            paint,
            joints,
            thickness,
            lambda image, color, shift: cv2.polylines(image, [joints - shift], False, color, thickness),
        )

    def ellipse(self, center: Point, axes: Point, paint: Color, start: float = 0, end: float = 360) -> None:
        """Fill an ellipse or the part of it from ``start`` to ``end`` degrees (clockwise, 0 at the right).

        Args:
            center: In body coordinates.
            axes: Half axes in body heights.
            paint: BGR.
            start: First angle. Defaults to 0.
            end: Last angle. Defaults to 360, the whole ellipse.
        """
        middle = self.pixels([center])[0]
        half = (max(1, round(axes[0] * self.height)), max(1, round(axes[1] * self.height)))
        cv2.ellipse(self.image, [int(v) for v in middle], half, 0, start, end, paint, -1)


def make_texture(painter: Painter, color: Color, accent: Color, pattern: str, split_y: float = 0.3) -> Texture:
    """Paint one garment's pattern over a canvas, aligned to the body.

    Args:
        painter: Gives the size of the canvas and the place of the body.
        color: BGR of the ground.
        accent: BGR of the pattern.
        pattern: 'stripes' (horizontal), 'plaid', 'dots', 'block' (the accent below ``split_y``); anything else
            is plain: prints and side stripes are drawn on the garment, not in it.
        split_y: Height of the border of 'block' in body coordinates. Defaults to 0.3, the middle of a torso.

    Returns:
        The pattern.
    """
    image = np.empty_like(painter.image)
    image[:] = color
    height, width = image.shape[:2]
    unit = painter.height
    x0, y0 = painter.origin
    if pattern == 'stripes':
        rows = ((np.arange(height) - y0) / (0.034 * unit)).astype(int) % 2 == 1
        image[rows] = accent
    elif pattern == 'plaid':
        mixed = tuple((np.array(color, int) + np.array(accent, int)) // 2)
        rows = ((np.arange(height) - y0) / (0.024 * unit)).astype(int) % 2 == 1
        columns = np.floor((np.arange(width) - x0) / (0.024 * unit)).astype(int) % 2 == 1
        image[rows] = mixed
        image[:, columns] = mixed
        image[np.ix_(rows, columns)] = accent
    elif pattern == 'dots':
        step = 0.048 * unit
        for row in range(int(height / step) + 2):
            for column in range(int(width / step) + 2):
                center = (round((column + 0.5 * (row % 2)) * step), round(row * step))
                cv2.circle(image, center, max(1, round(0.015 * unit)), accent, -1)
    elif pattern == 'block':
        image[max(0, round(y0 + split_y * unit)) :] = accent
    return Texture(image, darker(color))
