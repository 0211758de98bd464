"""Saliency maps: which pixels of an image match a sentence."""

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from mmtbps.core.checks import positive
from mmtbps.core.images import read_image
from mmtbps.visualization import draw_text
from mmtbps.visualization.ranked_list import render, show_person

from .encoders.model_encoder import ModelEncoder, prepare_images

__all__ = ['compute_saliency', 'draw_saliency', 'smooth', 'without_word']

_PLAIN = (0, 128, 255)
_SMOOTH = 1 / 48
"""Standard deviation of the smoothing of maps, as a share of the height: two pixels of 96."""


def without_word(sentence: str, word: str) -> str:
    """Remove all occurrences of a word from a sentence.

    Raises:
        ValueError: If it does not occur, or is the only word.
    """
    words = sentence.split()
    kept = [other for other in words if other.strip('.,;:!?').lower() != word.lower()]
    if len(kept) == len(words) or not kept:
        raise ValueError(f'{word!r} must be one of several words of the sentence {sentence!r}.')
    return ' '.join(kept)


def compute_saliency(
    encoder: ModelEncoder, image: str | Path | np.ndarray, sentence: str, word: str | None = None, steps: int = 12
) -> np.ndarray:
    """Compute how much every pixel of an image contributes to its similarity with a sentence.

    Integrated gradients (Sundararajan et al., ICML 2017): the gradients of the cosine with respect to the pixels are
    averaged along the straight line from a uniform baseline to the image, and multiplied by their difference. The map
    sums to the cosine of the image minus that of the baseline. It is averaged over a black, a grey and a white
    baseline, since a garment of the baseline's colour would contribute nothing. Grad-CAM, that is activations times
    gradients of an inner feature map, highlighted background beside the garment, because activations are far from zero
    everywhere.

    Args:
        encoder: A trained model.
        image: A file, or an array (H, W, 3) uint8, BGR.
        sentence: The sentence.
        word: A word of it. The map then shows what the word adds: the text feature is that of the sentence minus that
            of the sentence without the word. Defaults to None: the whole sentence.
        steps: Number of images along the line. Defaults to 12; more approximate the integral more closely and take
            longer.

    Returns:
        (h, w) float32, in the input size of the model; positive where pixels increase the similarity.

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
    """Integrate the gradients of the cosine between two images (3, H, W); returns (H, W)."""
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
    """Draw an image beside its saliency maps for a sentence and for words of it.

    Args:
        encoder: A trained model.
        image: A file, or an array (H, W, 3) uint8, BGR.
        sentence: The sentence.
        words: Words of it. Defaults to none: only the whole sentence.
        out_file: Where to save the figure. Defaults to None: it is only returned.

    Returns:
        The figure, (H, W, 3) uint8, RGB; red where pixels increase the similarity, each map on its own scale.
    """
    maps = {'sentence': compute_saliency(encoder, image, sentence)}
    maps.update({word: compute_saliency(encoder, image, sentence, word) for word in words})
    picture = image if isinstance(image, np.ndarray) else read_image(image)
    columns = 1 + len(maps)
    text = '\n'.join(textwrap.wrap(sentence, width=16 * columns))
    figure = Figure(figsize=(1.4 * columns, 4.3 + 0.2 * text.count('\n')), dpi=100, layout='constrained')
    draw_text(figure.suptitle, text, fontsize=9, x=0.01, ha='left')
    show_person(figure.add_subplot(1, columns, 1), picture)
    for number, (name, values) in enumerate(maps.items(), start=2):
        axes = figure.add_subplot(1, columns, number)
        show_person(axes, _overlay(picture, values))
        draw_text(axes.set_xlabel, name, fontsize=9)
    return render(figure, out_file)


def smooth(values: np.ndarray) -> np.ndarray:
    """Smooth a map, since single pixels are noisy, and keep its positive part."""
    return np.maximum(cv2.GaussianBlur(values, (0, 0), _SMOOTH * values.shape[0]), 0)


def _overlay(picture: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Overlay the positive part of a map on an image, BGR; without any the image stays grey."""
    height, width = picture.shape[:2]
    smoothed = smooth(values)
    strength = cv2.resize(smoothed / max(smoothed.max(), 1e-12), (width, height))[..., None]
    grey = np.repeat(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
    heat = np.array([30.0, 30.0, 230.0])
    return (grey * (1 - 0.75 * strength) + heat * 0.75 * strength).astype(np.uint8)
