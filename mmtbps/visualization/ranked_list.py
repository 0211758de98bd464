"""Pictures of queries with their ranked images."""

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmtbps.core.files import write_atomically
from mmtbps.core.images import read_image
from mmtbps.evaluation import Features, load_features

from .text import draw_text

__all__ = ['RankedList', 'draw_ranked_lists', 'draw_ranking', 'rank_examples', 'render', 'show_person']

_MATCH, _MISMATCH, _NEUTRAL = '#1a9850', '#d73027', '#606060'


@dataclass(frozen=True)
class RankedList:
    """A query and its ranked images.

    Args:
        row: Number of the query.
        caption: The sentence.
        images: Files of the images, best first.
        scores: Their similarities.
        matches: Whether each image shows the person of the query.
        person_ids: The person on each image.
    """

    row: int
    caption: str
    images: list[str]
    scores: list[float]
    matches: list[bool]
    person_ids: list[int]


def draw_ranking(
    caption: str,
    images: Sequence[str | np.ndarray],
    scores: Sequence[float],
    matches: Sequence[bool] | None = None,
    out_file: str | Path | None = None,
    person_ids: Sequence[int | str] | None = None,
    query_image: str | np.ndarray | None = None,
) -> np.ndarray:
    """Draw a query and its ranked images from left to right.

    Args:
        caption: The query, or the heading if the query is an image.
        images: The ranked images, best first: files, or arrays (H, W, 3) uint8, BGR.
        scores: Their similarities to the query, written below them.
        matches: Whether each image shows the person of the query; matches get a green frame, others a red one. Defaults
            to None: unknown, all frames are grey.
        out_file: Where to save the picture. Defaults to None: it is only returned.
        person_ids: The person on each image, written below the score. Defaults to None: not written.
        query_image: The query image, drawn on the left. Defaults to None: the query is a sentence.

    Returns:
        The picture, (H, W, 3) uint8, RGB.

    Raises:
        ValueError: If the lists differ in length, or there is no image.
    """
    lengths = {len(values) for values in (images, scores, matches, person_ids) if values is not None}
    if len(lengths) > 1 or not len(images):
        raise ValueError(
            f'images ({len(images)}), scores ({len(scores)}), matches and person_ids must have the same length, at '
            'least 1.'
        )
    offset = 0 if query_image is None else 1
    columns = len(images) + offset
    text = '\n'.join(textwrap.wrap(caption, width=14 * columns))
    figure = Figure(figsize=(1.1 * columns, 3.3 + 0.2 * text.count('\n')), dpi=100, layout='constrained')
    draw_text(figure.suptitle, text, fontsize=10, x=0.01, ha='left')
    if query_image is not None:
        _frame(figure.add_subplot(1, columns, 1), query_image, 'black', 'query')
    for index, (image, score) in enumerate(zip(images, scores, strict=True)):
        colour = _NEUTRAL if matches is None else (_MATCH if matches[index] else _MISMATCH)
        label = f'{index + 1}: {score:.3f}' + ('' if person_ids is None else f'\nid {person_ids[index]}')
        _frame(figure.add_subplot(1, columns, index + 1 + offset), image, colour, label)
    return render(figure, out_file)


def _frame(axes: Axes, image: str | np.ndarray, colour: str, label: str) -> None:
    show_person(axes, image)
    for spine in axes.spines.values():
        spine.set(edgecolor=colour, linewidth=4)
    draw_text(axes.set_xlabel, label, fontsize=9, color=colour)


def show_person(axes: Axes, image: str | np.ndarray) -> None:
    """Show a pedestrian without axes, resized to one shape for all, so that several form a row.

    Args:
        axes: The axes to draw on.
        image: A file, or an array (H, W, 3) uint8, BGR.
    """
    picture = read_image(image) if isinstance(image, str) else image
    axes.imshow(cv2.resize(np.ascontiguousarray(picture[..., ::-1]), (128, 384), interpolation=cv2.INTER_AREA))
    axes.set(xticks=[], yticks=[])


def render(figure: Figure, out_file: str | Path | None = None) -> np.ndarray:
    """Render a figure as an array (H, W, 3) uint8, RGB, and write it atomically if a file is given."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    if out_file is not None:
        content = io.BytesIO()
        figure.savefig(content, format=Path(out_file).suffix.lstrip('.') or 'png')
        write_atomically(out_file, content.getvalue())
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def rank_examples(features: Features, num_queries: int, topk: int) -> list[RankedList]:
    """Rank the images of a test for some of its captions.

    Args:
        features: Features of the test.
        num_queries: Number of captions, evenly spread over the test set, hence the same ones every time.
        topk: Number of images per caption.

    Returns:
        The lists; none if there is no caption.
    """
    if not features.captions:
        return []
    normalise = torch.nn.functional.normalize
    gallery = normalise(features.image_feats)
    rows = np.unique(np.linspace(0, len(features.captions) - 1, num_queries).round().astype(int))
    similarity = normalise(features.text_feats[rows]) @ gallery.T
    lists = []
    for row, scores in zip(rows.tolist(), similarity, strict=True):
        order = scores.argsort(descending=True, stable=True)[:topk]
        person_ids = features.image_pids[order]
        lists.append(
            RankedList(
                row=row,
                caption=features.captions[row],
                images=[features.image_paths[index] for index in order],
                scores=scores[order].tolist(),
                matches=(person_ids == features.image_pids[features.text_images[row]]).tolist(),
                person_ids=person_ids.tolist(),
            )
        )
    return lists


def draw_ranked_lists(
    features_file: str | Path, out_dir: str | Path, num_queries: int = 10, topk: int = 8
) -> list[Path]:
    """Draw the ranked lists of some captions of a dumped test.

    Args:
        features_file: File of :class:`mmtbps.evaluation.DumpFeatures`.
        out_dir: Folder for the pictures ``query_<row>.png``.
        num_queries: Number of captions, evenly spread over the test set. Defaults to 10, a page.
        topk: Number of images per caption. Defaults to 8, which fit on a screen.

    Returns:
        The written files.
    """
    features, files = load_features(features_file), []
    for found in rank_examples(features, num_queries, topk):
        file = Path(out_dir) / f'query_{found.row:05d}.png'
        draw_ranking(found.caption, found.images, found.scores, found.matches, file, found.person_ids)
        files.append(file)
    return files
