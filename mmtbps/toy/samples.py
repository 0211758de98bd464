"""A few drawn pedestrians with sentences, for those who need examples and no data set."""

import numpy as np

from .attributes import sample_person, sample_shots, stream
from .grammar import describe_image
from .scene import draw_image

__all__ = ['draw_samples']


def draw_samples(count: int) -> tuple[list[np.ndarray], list[str]]:
    """Draw pedestrians and describe them, as ToyPEDES does; needs no data.

    Args:
        count: How many of each.

    Returns:
        Pictures (H, W, 3) uint8, BGR, and one sentence on each.
    """
    images, sentences = [], []
    for index in range(count):
        person, shot = sample_person(0, 'test', index), sample_shots(0, 'test', index, 1)[0]
        rng = stream(0, 'test', index, 2)
        sentences.append(describe_image(person, shot, rng)[0].text)
        images.append(draw_image(person, shot, rng))
    return images, sentences
