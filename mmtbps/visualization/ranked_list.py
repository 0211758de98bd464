"""Pictures of a query and the images that were found for it."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import cv2
import mmcv
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmtbps.evaluation import load_features

__all__ = ['draw_ranked_lists', 'draw_ranking']

_RIGHT, _WRONG, _NEUTRAL = '#1a9850', '#d73027', '#606060'


def draw_ranking(
    caption: str,
    image_paths: Sequence[str],
    scores: Sequence[float],
    right: Sequence[bool] | None = None,
    out_file: str | Path | None = None,
) -> np.ndarray:
    """Draw a sentence and its ranked images from left to right.

    Args:
        caption: The query.
        image_paths: Files of the ranked images, best first.
        scores: Their similarities to the query, written below them.
        right: Whether each one shows the person meant; right answers are framed green, wrong ones red. Defaults to
            None: nothing is known of the persons, frames are grey.
        out_file: Where to save the picture. Defaults to None: it is only returned.

    Returns:
        The picture, (H, W, 3) uint8, RGB.

    Raises:
        ValueError: If the lists differ in length.
    """
    if len(image_paths) != len(scores) or (right is not None and len(right) != len(scores)):
        raise ValueError(f'image_paths ({len(image_paths)}), scores ({len(scores)}) and right must be of one length.')
    columns = len(image_paths)
    text = '\n'.join(textwrap.wrap(caption, width=14 * columns))
    figure = Figure(figsize=(1.1 * columns, 3.1 + 0.2 * text.count('\n')), dpi=100, layout='constrained')
    canvas = FigureCanvasAgg(figure)
    figure.suptitle(text, fontsize=10, x=0.01, ha='left')
    for index, (path, score) in enumerate(zip(image_paths, scores, strict=True)):
        axes = figure.add_subplot(1, columns, index + 1)
        _show(axes, path)
        colour = _NEUTRAL if right is None else (_RIGHT if right[index] else _WRONG)
        for spine in axes.spines.values():
            spine.set(edgecolor=colour, linewidth=4)
        axes.set_xlabel(f'{index + 1}: {score:.3f}', fontsize=9, color=colour)
    if out_file is not None:
        Path(out_file).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out_file)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _show(axes: Axes, path: str) -> None:
    image = mmcv.imread(path, channel_order='rgb')
    # One shape for all, so that the list reads as a row.
    axes.imshow(cv2.resize(image, (128, 384), interpolation=cv2.INTER_AREA))
    axes.set(xticks=[], yticks=[])


def draw_ranked_lists(
    features_file: str | Path, out_dir: str | Path, num_queries: int = 10, topk: int = 8
) -> list[Path]:
    """Draw the ranked lists of some captions of a dumped test.

    Args:
        features_file: File of :class:`mmtbps.evaluation.DumpFeatures`.
        out_dir: Folder for the pictures ``query_<row>.png``.
        num_queries: How many captions, evenly spread over the test set. Defaults to 10, a page.
        topk: How many images each. Defaults to 8, which fit on a screen.

    Returns:
        The files.
    """
    features = load_features(features_file)
    normalise = torch.nn.functional.normalize
    gallery = normalise(features.image_feats)
    rows = np.unique(np.linspace(0, len(features.captions) - 1, num_queries).round().astype(int))
    similarity = normalise(features.text_feats[rows]) @ gallery.T
    files = []
    for row, scores in zip(rows, similarity, strict=True):
        order = scores.argsort(descending=True, stable=True)[:topk]
        person = features.image_pids[features.text_images[row]]
        file = Path(out_dir) / f'query_{row:05d}.png'
        draw_ranking(
            features.captions[row],
            [features.image_paths[index] for index in order],
            scores[order].tolist(),
            (features.image_pids[order] == person).tolist(),
            file,
        )
        files.append(file)
    return files
