"""The two directions of retrieval, text to image and image to text."""

from collections.abc import Iterable
from typing import NamedTuple

from torch import Tensor

from .functional import QueryScores, score_features, score_rows
from .rerankers import Reranker

__all__ = ['Direction', 'both_directions', 'score_directions']


class Direction(NamedTuple):
    """Queries and gallery of one direction.

    Attributes:
        query_feats: Features of the queries (Q, D).
        query_pids: Their person ids (Q,).
        gallery_feats: Features of the gallery (G, D).
        gallery_pids: Their person ids (G,).
    """

    query_feats: Tensor
    query_pids: Tensor
    gallery_feats: Tensor
    gallery_pids: Tensor


def both_directions(
    image_feats: Tensor, image_pids: Tensor, text_feats: Tensor, text_images: Tensor
) -> dict[str, Direction]:
    """Assemble queries and gallery of both directions.

    ``t2i``: every caption is a query, every image is in the gallery. ``i2t``: every image that has captions is a query,
    every caption is in the gallery.

    Args:
        image_feats: Features (G, D) of the unique images.
        image_pids: Their person ids (G,).
        text_feats: Features (Q, D) of the captions.
        text_images: Row of the image that each caption describes (Q,).

    Returns:
        The directions ``t2i`` and ``i2t``.
    """
    described = text_images.unique()
    text_pids = image_pids[text_images]
    return {
        't2i': Direction(text_feats, text_pids, image_feats, image_pids),
        'i2t': Direction(image_feats[described], image_pids[described], text_feats, text_pids),
    }


def score_directions(directions: dict[str, Direction], rerankers: Iterable[Reranker] = ()) -> dict[str, QueryScores]:
    """Rank every direction by cosine similarity and with every re-ranker.

    Args:
        directions: Queries and gallery by name.
        rerankers: Re-rankers, each applied to every direction. Defaults to none.

    Returns:
        Scores of the queries by ranking: ``t2i``, ``t2i+jaccard``, ..., ``i2t``, ...
    """
    scores = {}
    for name, (query, query_pids, gallery, gallery_pids) in directions.items():
        scores[name] = score_features(query, query_pids, gallery, gallery_pids)
        for reranker in rerankers:
            rows = reranker.prepare(query, gallery)
            scores[f'{name}+{reranker.name}'] = score_rows(rows, query_pids, gallery_pids)
    return scores
