"""Write a report about a test."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from mmtbps.evaluation.directions import score_directions
from mmtbps.evaluation.feature_file import Features
from mmtbps.evaluation.functional import QueryScores, similarity_histogram
from mmtbps.evaluation.functional.checks import unit_pair
from mmtbps.evaluation.functional.neighbors import Cosine, largest
from mmtbps.evaluation.rerankers import Reranker

from .files import save_figures, save_queries
from .plots import draw_cmc, draw_similarities
from .query_page import FoundImage, QueryCard, write_query_page

__all__ = ['write_report']

_WORST, _SHOWN = 50, 10


def write_report(
    features: Features, out_dir: str | os.PathLike, rerankers: Iterable[Reranker] = (), topk: Sequence[int] = (1, 5, 10)
) -> dict[str, dict[str, float]]:
    """Rank features in both directions and write a report for people and programs.

    ::

        out_dir/figures.json        all metrics, and model, checkpoint, config and data set of the features
        out_dir/queries.csv         rank of the first match, AP and INP of every query in every ranking
        out_dir/cmc.png             share of queries with a match among the first k
        out_dir/similarities.png    similarities of matching and of other pairs
        out_dir/worst_queries.html  the 50 captions whose first match is ranked lowest (by cosine), each with its
                                    own image and the ten best; one file, images embedded

    Args:
        features: Features of a test.
        out_dir: Folder of the report; files of an earlier report are replaced.
        rerankers: Re-rankers, each applied to both directions. Defaults to none.
        topk: Ranks at which CMC is reported. Defaults to (1, 5, 10), as papers of the field do.

    Returns:
        The metrics in percent, by ranking and name.

    Raises:
        FileNotFoundError: If an image of the page does not exist.
        ValueError: If no query has a match.
    """
    folder = Path(out_dir)
    directions = features.directions()
    scores = score_directions(directions, rerankers)
    figures = save_figures(folder, features, scores, topk)
    save_queries(folder, features, scores)
    draw_cmc({name: row.first_rank for name, row in scores.items()}, folder / 'cmc.png')
    draw_similarities(*similarity_histogram(*directions['t2i']), folder / 'similarities.png')
    _write_worst_queries(folder / 'worst_queries.html', features, scores['t2i'], figures)
    return figures


def worst_queries(scores: QueryScores, count: int) -> list[int]:
    """Find the queries whose first match is ranked lowest; ties are ordered by average precision, lowest first.

    Args:
        scores: Scores of the queries; those without a match are left out.
        count: Number of queries.

    Returns:
        Query numbers, worst first.
    """
    by_precision = scores.average_precision.argsort(stable=True)
    order = by_precision[scores.first_rank[by_precision].argsort(descending=True, stable=True)]
    return order[scores.has_match[order]][:count].tolist()


def _write_worst_queries(
    out_file: Path, features: Features, scores: QueryScores, figures: dict[str, dict[str, float]]
) -> None:
    """Write the page of the captions whose first match is ranked lowest."""
    queries = worst_queries(scores, _WORST)
    cosine = Cosine(*unit_pair(features.text_feats, features.image_feats))
    cards = [_card(features, scores, query, cosine(torch.tensor([query]))[0]) for query in queries]
    meta = features.meta
    known = ('model', 'checkpoint', 'trained_on', 'dataset', 'split')
    shown = {name.replace('_', ' '): str(meta[name]) for name in known if name in meta}
    shown |= dict(images=f'{len(features.image_paths):,}', captions=f'{len(features.captions):,}')
    write_query_page(
        out_file,
        f'The {len(queries)} worst queries',
        'Sentences whose first match is ranked lowest by cosine similarity; before each the rank of that match. '
        'Framed grey: the image that the sentence was written for. Then the best images, green for a match and red '
        'for another person; below them rank and similarity.',
        shown,
        figures,
        cards,
    )


def _card(features: Features, scores: QueryScores, query: int, similarity: Tensor) -> QueryCard:
    """Build the card of a caption: its own image and the best images."""
    own = int(features.text_images[query])
    rank = int(scores.first_rank[query])
    images = [FoundImage(features.image_paths[own], f'own: {similarity[own]:.3f}', 'own')]
    for place, image in enumerate(largest(similarity[None], _SHOWN)[0].tolist(), 1):
        match = features.image_pids[image] == features.image_pids[own]
        label = f'{place}: {similarity[image]:.3f}'
        images.append(FoundImage(features.image_paths[image], label, 'match' if match else 'mismatch'))
    return QueryCard(f'rank {rank}', features.captions[query], images)
