"""The scene round a toy pedestrian and the camera before it."""

import cv2
import numpy as np

from .attributes import Person, Shot
from .figure import draw_figure
from .painter import Painter

__all__ = ['GROUNDS', 'draw_image']

# Drawn at twice the size and shrunk, which is what smooths the edges.
_SUPERSAMPLING = 2

# Ground, wall (BGR) and the camera's gains for blue, green and red.
_CAMERAS = dict(
    cam_a=((150, 152, 156), (176, 184, 190), (1.08, 1.0, 0.94)),
    cam_b=((70, 130, 96), (150, 170, 150), (0.94, 1.05, 1.0)),
    cam_c=((186, 194, 200), (206, 212, 214), (0.9, 1.0, 1.1)),
    cam_d=((92, 90, 92), (140, 136, 128), (1.12, 1.0, 0.9)),
    cam_e=((120, 134, 146), (84, 98, 150), (1.0, 1.0, 1.0)),
    cam_f=((160, 150, 170), (120, 126, 132), (0.92, 1.02, 1.08)),
)
# What a sentence may call the ground under each camera.
GROUNDS = dict(cam_a='pavement', cam_b='grass', cam_c='floor', cam_d='road', cam_e='brick', cam_f='tiles')


def _color(base: tuple[int, int, int], rng: np.random.Generator, spread: float = 12) -> tuple[int, int, int]:
    blue, green, red = np.clip(np.array(base) + rng.normal(0, spread, 3), 0, 255)
    return (int(blue), int(green), int(red))


def _draw_background(image: np.ndarray, shot: Shot, rng: np.random.Generator) -> None:
    ground, wall, _ = _CAMERAS[shot.camera]
    height, width = image.shape[:2]
    horizon = int(height * rng.uniform(0.3, 0.75))
    image[:horizon] = _color(wall, rng)
    image[horizon:] = _color(ground, rng)
    kind = GROUNDS[shot.camera]
    line = _color(ground, rng, 4)
    line = (line[0] * 4 // 5, line[1] * 4 // 5, line[2] * 4 // 5)
    if kind in ('tiles', 'pavement', 'floor'):
        for y in np.geomspace(horizon + 8, height, 5).astype(int):
            cv2.line(image, (0, int(y)), (width, int(y)), line, 2)
    elif kind == 'road':
        left = int(rng.integers(width))
        cv2.line(image, (left, height), (width // 2, horizon), (190, 196, 200), 7)
    elif kind == 'brick':
        for y in range(0, horizon, 14):
            cv2.line(image, (0, y), (width, y), (70, 80, 118), 2)
    for _ in range(int(rng.integers(0, 4))):
        x, w, h = (int(v) for v in rng.integers((0, 10, 20), (width, 50, height // 2)))
        corner = (x, horizon + int(rng.integers(0, 20)))
        cv2.rectangle(image, corner, (x + w, corner[1] - h), _color((128, 128, 128), rng, 44), -1)


def _draw_occluder(image: np.ndarray, painter: Painter, shot: Shot, rng: np.random.Generator) -> None:
    """A barrier before the feet, or a post at the edge; neither hides anything else that a sentence may name."""
    height, width = image.shape[:2]
    color = _color((110, 120, 120), rng, 40)
    if shot.feet_hidden == 'occluded':
        top = int(painter.pixels([(0, rng.uniform(0.83, 0.88))])[0, 1])
        cv2.rectangle(image, (0, top), (width, height), color, -1)
        cv2.line(image, (0, top), (width, top), (color[0] // 2, color[1] // 2, color[2] // 2), 4)
    elif rng.random() < 0.15:
        left = 0 if rng.random() < 0.5 else int(width * 0.9)
        cv2.rectangle(image, (left, 0), (left + int(width * 0.1), height), color, -1)


def _expose(image: np.ndarray, shot: Shot, rng: np.random.Generator) -> np.ndarray:
    """Uneven light, the camera's tint, blur and noise."""
    height, width = image.shape[:2]
    folds = cv2.resize(rng.uniform(0.86, 1.1, (12, 5)).astype(np.float32), (width, height))
    left, right = (float(v) for v in rng.uniform(0.82, 1.12, 2))
    slope = np.linspace(left, right, width, dtype=np.float32)
    gains = np.array(_CAMERAS[shot.camera][2]) * rng.uniform(0.94, 1.06, 3) * rng.uniform(0.66, 1.2)
    light = image.astype(np.float32) * (folds * slope)[..., None] * gains.astype(np.float32)
    light += rng.uniform(-6, 22)
    blur = rng.random()
    if blur < 0.3:
        light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.5, 1.1))
    elif blur < 0.45:
        light = cv2.blur(light, (4, 1))
    light += rng.standard_normal(light.shape, dtype=np.float32) * rng.uniform(1, 6)
    return np.clip(light, 0, 255).astype(np.uint8)


def draw_image(person: Person, shot: Shot, rng: np.random.Generator) -> np.ndarray:
    """Draw one image of one person.

    Args:
        person: The attributes.
        shot: Camera, view, pose and what hides the feet.
        rng: For everything that neither fixes: size, place, light, clutter.

    Returns:
        uint8 (H, W, 3), BGR, about 128 x 54.
    """
    height = int(rng.integers(120, 137))
    width = int(height * rng.uniform(0.38, 0.45))
    canvas = np.empty((height * _SUPERSAMPLING, width * _SUPERSAMPLING, 3), np.uint8)
    _draw_background(canvas, shot, rng)
    body = canvas.shape[0] * rng.uniform(0.86, 0.93)
    top = canvas.shape[0] * 0.99 - body - rng.uniform(0, 0.02) * body
    if shot.feet_hidden == 'crop':
        body *= 1.14
    painter = Painter(canvas, (canvas.shape[1] * rng.uniform(0.46, 0.54), top), body)
    draw_figure(painter, person, shot, rng)
    _draw_occluder(canvas, painter, shot, rng)
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    return _expose(small, shot, rng)
