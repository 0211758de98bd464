"""Map of the embeddings of a test in a plane."""

from pathlib import Path

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from torch import Tensor

from mmtbps.evaluation import load_features

from .ranked_list import render

__all__ = ['draw_embedding_map', 'project_to_plane']

_METHODS = ('pca', 'tsne')


def project_to_plane(features: np.ndarray | Tensor, method: str = 'pca', seed: int = 0) -> np.ndarray:
    """Project normalised features to a plane.

    Args:
        features: (N, D), normalised inside, since search uses their direction only.
        method: ``'pca'``, the two directions of largest variance, which is deterministic and preserves distances as far
            as a plane can; or ``'tsne'`` (van der Maaten and Hinton, JMLR 2008; needs scikit-learn), which preserves
            neighbourhoods, but not distances between groups. Defaults to ``'pca'``.
        seed: Seed of t-SNE. Defaults to 0.

    Returns:
        (N, 2).

    Raises:
        ImportError: If scikit-learn is not installed.
        ValueError: If the method is unknown or there are fewer than three features.
    """
    if method not in _METHODS:
        raise ValueError(f'method must be one of {_METHODS}, got {method!r}.')
    if len(features) < 3:
        raise ValueError(f'There are {len(features)} features; a plane needs at least three.')
    unit = torch.nn.functional.normalize(torch.as_tensor(features, dtype=torch.float64))
    if method == 'tsne':
        try:
            from sklearn.manifold import TSNE
        except ImportError as error:
            raise ImportError('t-SNE needs scikit-learn. Run: python -m pip install scikit-learn') from error
        # The perplexity of the paper's examples, or less if there are too few points.
        perplexity = min(30.0, (len(features) - 1) / 3)
        return TSNE(init='pca', perplexity=perplexity, random_state=seed).fit_transform(unit.numpy())
    centred = unit - unit.mean(0)
    directions = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -2:].flip(1)
    # The sign is arbitrary; making the largest entry positive fixes it.
    largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
    return (centred @ (directions * largest.sign())).numpy()


def draw_embedding_map(
    features_file: str | Path,
    out_file: str | Path | None = None,
    method: str = 'pca',
    num_persons: int = 12,
    seed: int = 0,
) -> np.ndarray:
    """Draw images and captions of some persons as points, in one colour per person.

    Args:
        features_file: File of :class:`mmtbps.evaluation.DumpFeatures`.
        out_file: Where to save the picture. Defaults to None: it is only returned.
        method: See :func:`project_to_plane`. Defaults to ``'pca'``.
        num_persons: Number of persons, evenly spread over the test set. Defaults to 12, whose colours are easy to
            distinguish.
        seed: Seed of t-SNE. Defaults to 0.

    Returns:
        The picture, (H, W, 3) uint8, RGB.

    Raises:
        ValueError: If ``num_persons`` is below 1.
    """
    if num_persons < 1:
        raise ValueError(f'num_persons must be at least 1, got {num_persons}.')
    features = load_features(features_file)
    persons = features.image_pids.unique()
    persons = persons[np.unique(np.linspace(0, len(persons) - 1, num_persons).round().astype(int))]
    image_pids, text_pids = features.image_pids, features.image_pids[features.text_images]
    images, texts = torch.isin(image_pids, persons), torch.isin(text_pids, persons)
    points = project_to_plane(torch.cat([features.image_feats[images], features.text_feats[texts]]), method, seed)
    of_image, of_text = np.split(points, [int(images.sum())])

    figure = Figure(figsize=(7, 5.6), dpi=100, layout='constrained')
    axes = figure.add_subplot()
    colours = colormaps['tab20'].colors  # type: ignore[attr-defined]
    for number, person in enumerate(persons.tolist()):
        style = dict(color=colours[number % len(colours)], edgecolors='black', linewidths=0.4)
        own = of_image[image_pids[images] == person]
        axes.scatter(own[:, 0], own[:, 1], marker='o', s=60, label=f'id {person}', **style)
        own = of_text[text_pids[texts] == person]
        axes.scatter(own[:, 0], own[:, 1], marker='^', s=36, **style)
    name = dict(pca='PCA', tsne='t-SNE')[method]
    axes.set(title=f'{name}: circles are images, triangles captions', xticks=[], yticks=[])
    figure.legend(loc='outside right upper', fontsize=8)
    return render(figure, out_file)
