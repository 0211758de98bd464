"""Where on an image a sentence finds its match."""

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import mmcv
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from mmtbps.core.checks import positive
from mmtbps.visualization.ranked_list import render, show_person

from .encoders.model_encoder import ModelEncoder, prepare_images

__all__ = ['draw_saliency', 'saliency', 'smooth', 'without_word']

_PLAIN = (0, 128, 255)
_SMOOTH = 1 / 48
"""Of the height: the deviation that maps are smoothed with, two pixels of 96."""


def without_word(sentence: str, word: str) -> str:
    """Leave a word out of a sentence, wherever it stands.

    Raises:
        ValueError: If it does not occur, or is all there is.
    """
    words = sentence.split()
    kept = [other for other in words if other.strip('.,;:!?').lower() != word.lower()]
    if len(kept) == len(words) or not kept:
        raise ValueError(f'{word!r} must be one of several words of the sentence {sentence!r}.')
    return ' '.join(kept)


def saliency(
    encoder: ModelEncoder, image: str | Path | np.ndarray, sentence: str, word: str | None = None, steps: int = 12
) -> np.ndarray:
    """Compute how much every pixel of an image adds to its similarity with a sentence.

    Integrated gradients (Sundararajan et al., ICML 2017): a plain picture is faded into the image in steps, the
    gradients of the cosine for its pixels are averaged on the way and multiplied with what changed. So the map adds up
    to what the image's cosine has above that of a plain picture; here it is the mean over a black, a grey and a white
    one, as a garment of the plain picture's own colour would count for nothing. Activations times gradients of an inner
    feature map, as Grad-CAM takes them, showed background beside the garment: activations of any place are far from
    zero, whether it matters or not.

    Args:
        encoder: A trained model.
        image: A file, or a picture (H, W, 3) uint8, BGR.
        sentence: The sentence.
        word: A word of it: the map then shows what the word adds, that is the sentence's direction is taken less that
            of the sentence without the word. Defaults to None: the whole sentence.
        steps: Pictures on the way. Defaults to 12; more follow the cosine more closely and take longer.

    Returns:
        (h, w) float32, the size of the images that the model takes; positive where the similarity comes from.

    Raises:
        ValueError: If the word is not in the sentence, or ``steps`` is below 1.
    """
    positive(steps, 'steps')
    model = encoder.model
    texts = [sentence] if word is None else [sentence, without_word(sentence, word)]
    directions = encoder.encode_texts(texts).to(encoder.device, copy=True)
    direction = directions[0] if word is None else directions[0] - directions[1]
    loaded = encoder.image_loader(image if isinstance(image, np.ndarray) else str(image))
    pictures = [loaded, *(torch.full_like(loaded, level) for level in _PLAIN)]
    target, *plain = prepare_images(model.data_preprocessor, torch.stack(pictures))
    maps = [_integrate(model.encode_image, target, start, direction, steps) for start in plain]
    return torch.stack(maps).mean(0).float().cpu().numpy()


def _integrate(
    encode: Callable[[Tensor], Tensor], target: Tensor, start: Tensor, direction: Tensor, steps: int
) -> Tensor:
    """Integrate the gradients of the cosine between two pictures (3, H, W): (H, W)."""
    change = target - start
    way = (torch.arange(steps, device=target.device) + 0.5) / steps
    with torch.enable_grad():
        pictures = (start + way.view(-1, 1, 1, 1) * change).requires_grad_()
        cosines = nn.functional.normalize(encode(pictures), dim=1) @ direction
        (gradient,) = torch.autograd.grad(cosines.sum(), pictures)
    return (gradient.mean(0) * change).sum(0)


def draw_saliency(
    encoder: ModelEncoder,
    image: str | Path | np.ndarray,
    sentence: str,
    words: Sequence[str] = (),
    out_file: str | Path | None = None,
) -> np.ndarray:
    """Draw an image beside its maps for a sentence and for words of it.

    Args:
        encoder: A trained model.
        image: A file, or a picture (H, W, 3) uint8, BGR.
        sentence: The sentence.
        words: Words of it. Defaults to none: only the whole sentence.
        out_file: Where to save the picture. Defaults to None: it is only returned.

    Returns:
        The picture, (H, W, 3) uint8, RGB; red where similarity comes from, each map on its own scale.
    """
    maps = {'sentence': saliency(encoder, image, sentence)}
    maps.update({word: saliency(encoder, image, sentence, word) for word in words})
    picture = image if isinstance(image, np.ndarray) else mmcv.imread(str(image))
    columns = 1 + len(maps)
    text = '\n'.join(textwrap.wrap(sentence, width=16 * columns))
    figure = Figure(figsize=(1.4 * columns, 4.3 + 0.2 * text.count('\n')), dpi=100, layout='constrained')
    figure.suptitle(text, fontsize=9, x=0.01, ha='left')
    show_person(figure.add_subplot(1, columns, 1), picture)
    for number, (name, values) in enumerate(maps.items(), start=2):
        axes = figure.add_subplot(1, columns, number)
        show_person(axes, _overlay(picture, values))
        axes.set_xlabel(name, fontsize=9)
    return render(figure, out_file)


def smooth(values: np.ndarray) -> np.ndarray:
    """Smooth a map, since single pixels say little, and keep what is positive."""
    return np.maximum(cv2.GaussianBlur(values, (0, 0), _SMOOTH * values.shape[0]), 0)


def _overlay(picture: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Lay the positive part of a map over a picture, BGR; without any the picture is only grey."""
    height, width = picture.shape[:2]
    smoothed = smooth(values)
    strength = cv2.resize(smoothed / max(smoothed.max(), 1e-12), (width, height))[..., None]
    grey = np.repeat(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
    heat = np.array([30.0, 30.0, 230.0])
    return (grey * (1 - 0.75 * strength) + heat * 0.75 * strength).astype(np.uint8)
