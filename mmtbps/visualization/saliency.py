"""Where on an image a sentence finds its match."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import mmcv
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from mmtbps.models.backbones import CLIPViT
from mmtbps.search import ModelEncoder
from mmtbps.search.encoders.model_encoder import prepare_images

from .ranked_list import render, show_person

__all__ = ['draw_saliency', 'saliency', 'without_word']


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
    encoder: ModelEncoder,
    image: str | Path | np.ndarray,
    sentence: str,
    word: str | None = None,
    rows: int = 12,
) -> np.ndarray:
    """Compute how much every place of an image adds to its similarity with a sentence.

    The cosine is ``<v, t> / |v|`` with the image's embedding v and the sentence's direction t. At every place of the
    last feature map that is fine enough the activations are multiplied with the gradient of the cosine (|v| held
    fixed) and added over the channels (HiResCAM; Draelos and Carin, 2020). Where nothing but linear layers follow the
    map, these numbers add up to the cosine, less what the biases contribute; a mean of the gradient over all places,
    as Grad-CAM takes it, would forget which stripe of the body a weight belongs to.

    Args:
        encoder: A trained model.
        image: A file, or a picture (H, W, 3) uint8, BGR.
        sentence: The sentence.
        word: A word of it: the map then shows what the word adds, that is t is the sentence's direction less that of
            the sentence without the word. Defaults to None: the whole sentence.
        rows: What fine enough means: the least number of rows. Defaults to 12, half of what a ResNet has left of 384
            pixels; deeper maps of small images are so coarse that they miss garments. A ViT's grid is what it is.

    Returns:
        (h, w) float32, the size of the feature map; positive where the similarity comes from.

    Raises:
        ValueError: If the word is not in the sentence, or the image stream has no feature map.
    """
    model = encoder.model
    texts = [sentence] if word is None else [sentence, without_word(sentence, word)]
    directions = encoder.encode_texts(texts).to(encoder.device, copy=True)
    direction = directions[0] if word is None else directions[0] - directions[1]
    source = image if isinstance(image, np.ndarray) else str(image)
    batch = prepare_images(model.data_preprocessor, encoder.image_loader(source)[None])
    layer = _map_layer(model.image_stream.backbone, batch, rows)
    with torch.enable_grad(), _watch(layer) as seen:
        feature = model.encode_image(batch)[0]
        score = feature @ direction / feature.detach().norm()
    (gradient,) = torch.autograd.grad(score, seen[-1])
    return _to_map(model.image_stream.backbone, seen[-1].detach() * gradient).float().cpu().numpy()


@torch.no_grad()
def _map_layer(backbone: nn.Module, images: Tensor, rows: int) -> nn.Module:
    """Find the last layer whose output still has so many rows of places, or the last that has any."""
    if isinstance(backbone, CLIPViT):
        # Of the last block's output only the class token is used; its input is the last that matters everywhere.
        return backbone.transformer.resblocks[-1].ln_1
    found: list[tuple[nn.Module, int]] = []

    def note(layer: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] * output.shape[3] > 1:
            found.append((layer, output.shape[2]))

    hooks = [layer.register_forward_hook(note) for layer in backbone.modules()]
    try:
        backbone(images)
    finally:
        for hook in hooks:
            hook.remove()
    if not found:
        raise ValueError(f'{type(backbone).__name__} has no feature map (N, C, H, W), so there are no places to show.')
    fine = [layer for layer, height in found if height >= rows]
    return fine[-1] if fine else found[-1][0]


@contextmanager
def _watch(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Make a layer's output the leaf that gradients are taken for."""
    seen: list[Tensor] = []

    def replace(_: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        seen.append(output.detach().requires_grad_())
        return seen[-1].clone()  # a later layer may work in place

    hook = layer.register_forward_hook(replace)
    try:
        yield seen
    finally:
        hook.remove()


def _to_map(backbone: nn.Module, contributions: Tensor) -> Tensor:
    """Add up the channels of the one image: (1, C, h, w), or a ViT's (1, 1 + h * w, C), to (h, w)."""
    if isinstance(backbone, CLIPViT):
        return contributions[0, 1:].sum(1).unflatten(0, backbone.grid)
    return contributions[0].sum(0)


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


def _overlay(picture: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Lay the positive part of a map over a picture, BGR; without any the picture is only grey."""
    height, width = picture.shape[:2]
    strength = cv2.resize(np.maximum(values, 0) / max(values.max(), 1e-12), (width, height))[..., None]
    grey = np.repeat(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
    heat = np.array([30.0, 30.0, 230.0])
    return (grey * (1 - 0.75 * strength) + heat * 0.75 * strength).astype(np.uint8)
