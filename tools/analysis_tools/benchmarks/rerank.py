"""Re-ranking against the forms it is usually written in.

jaccard: the paper's re-ranking, both directions, at the size of CUHK-PEDES' test set, against Python sets in a double
loop (timed on --plain-queries of the queries and scaled: its time is proportional to them).
k-reciprocal: image queries at the size of Market-1501, against dense numpy.
shortlist: a large gallery, each query with the items nearest to it; and how often the ten best are those of the full
method, on a gallery that a full re-ranking can still do.
"""

import argparse
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmtbps.evaluation import KReciprocal, NeighborJaccard, Reranker
from mmtbps.evaluation.functional import k_reciprocal_distance, neighbor_jaccard
from mmtbps.evaluation.functional.neighbors import all_rows, largest

from .common import median_ratio, once, time_in_turn
from .features import largest_difference, peak_growth, person_features
from .plain_rerank import dense_k_reciprocal, jaccard_of_sets, neighbor_lists

PARTS = ('jaccard', 'k-reciprocal', 'shortlist')
METHODS = (NeighborJaccard.default_name, KReciprocal.default_name)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this benchmark."""
    parser.add_argument('--parts', nargs='+', choices=PARTS, default=PARTS, help='(default: all)')
    parser.add_argument('--dim', type=int, default=256, help='(default: %(default)s)')
    parser.add_argument('--captions', type=int, default=6156, help='jaccard (default: %(default)s)')
    parser.add_argument('--images', type=int, default=3074, help='jaccard (default: %(default)s)')
    parser.add_argument('--plain-queries', type=int, default=100, help='jaccard (default: %(default)s)')
    parser.add_argument('--queries', type=int, default=3368, help='k-reciprocal (default: %(default)s)')
    parser.add_argument('--gallery', type=int, default=15913, help='k-reciprocal (default: %(default)s)')
    parser.add_argument('--large-queries', type=int, default=1000, help='shortlist (default: %(default)s)')
    parser.add_argument('--large-gallery', type=int, default=1_000_000, help='shortlist (default: %(default)s)')
    parser.add_argument('--full-gallery', type=int, default=100_000, help='shortlist (default: %(default)s)')
    parser.add_argument(
        '--methods', nargs='+', choices=METHODS, default=METHODS, help='shortlist: re-rankers (default: all)'
    )
    parser.add_argument('--jaccard-shortlist', type=int, default=50, help='shortlist (default: %(default)s)')
    parser.add_argument('--k-reciprocal-shortlist', type=int, default=500, help='shortlist (default: %(default)s)')


def run_jaccard(args: argparse.Namespace) -> dict[str, Any]:
    """Both directions of the paper's re-ranking."""
    persons = max(1, args.images // 3)
    texts, _ = person_features(args.captions, persons, args.dim, noise=3.0, seed=1)
    images, _ = person_features(args.images, persons, args.dim, noise=1.5, seed=2)

    def ours() -> tuple[Tensor, Tensor]:
        return neighbor_jaccard(texts, images), neighbor_jaccard(images, texts)

    def products() -> None:
        for one, other in ((texts, images), (images, images), (texts, texts)):
            one @ other.T

    seconds = time_in_turn({'ours': ours, 'products': products}, args.repeats)
    plain, difference = 0.0, 0.0
    for (query, gallery), found in zip(((texts, images), (images, texts)), ours(), strict=True):
        spent, (query_near, gallery_near) = once(lambda q=query, g=gallery: neighbor_lists(q, g, 5))
        part = query_near[: args.plain_queries]
        looped, expected = once(lambda p=part, g=gallery_near: jaccard_of_sets(p, g))
        plain += spent + looped * len(query) / len(part)
        difference = max(difference, largest_difference(found[: len(part)], expected))
    return {
        'largest difference to Python sets': difference,
        'neighbor_jaccard (s)': float(np.median(seconds['ours'])),
        'three matrix products (s)': float(np.median(seconds['products'])),
        'time, ratio to three matrix products': median_ratio(seconds['ours'], seconds['products']),
        'Python sets, scaled (s)': plain,
        'speed, ratio to Python sets': plain / float(np.median(seconds['ours'])),
        'neighbor_jaccard, memory (MB)': peak_growth(ours),
    }


def run_k_reciprocal(args: argparse.Namespace) -> dict[str, Any]:
    """Query-gallery distances of an image data set."""
    persons = max(1, args.gallery // 20)
    query, _ = person_features(args.queries, persons, args.dim, noise=1.5, seed=1)
    gallery, _ = person_features(args.gallery, persons, args.dim, noise=1.5, seed=2)
    times = time_in_turn({'ours': lambda: k_reciprocal_distance(query, gallery)}, args.repeats)['ours']
    memory = peak_growth(lambda: k_reciprocal_distance(query, gallery))
    plain = {}

    def dense() -> None:
        plain['seconds'], plain['distance'] = once(lambda: dense_k_reciprocal(query, gallery, 20, 6, 0.3))

    dense_memory = peak_growth(dense)
    found = k_reciprocal_distance(query, gallery).numpy()
    gap = np.abs(found - plain['distance'])
    return {
        'largest difference to dense numpy': float(gap.max()),
        'share of distances that differ by over 1e-5': float((gap > 1e-5).mean()),
        'k_reciprocal_distance (s)': float(np.median(times)),
        'dense numpy (s)': plain['seconds'],
        'speed, ratio to dense numpy': plain['seconds'] / float(np.median(times)),
        'k_reciprocal_distance, memory (MB)': memory,
        'dense numpy, memory (MB)': dense_memory,
        'memory, share of dense numpy': memory / dense_memory,
    }


def run_shortlist(args: argparse.Namespace) -> dict[str, Any]:
    """A large gallery, and agreement on a smaller one."""
    sizes = {NeighborJaccard(): args.jaccard_shortlist, KReciprocal(): args.k_reciprocal_shortlist}
    return {r.name: _shortlist_figures(r, size, args) for r, size in sizes.items() if r.name in args.methods}


def _shortlist_figures(reranker: Reranker, size: int, args: argparse.Namespace) -> dict[str, float]:
    """Agreement, time and memory of one method."""
    query, gallery = _retrieval(args.large_queries, args.full_gallery, args.dim)
    found, _ = reranker.shortlist(query, gallery, size)
    full = largest(all_rows(reranker.prepare(query, gallery), len(query), len(gallery)), 10)
    pairs = zip(found[:, :10].tolist(), full.tolist(), strict=True)
    same = [(set(short) == set(long), short[0] == long[0]) for short, long in pairs]
    query, gallery = _retrieval(args.large_queries, args.large_gallery, args.dim)
    seconds = []

    def large() -> None:
        seconds.append(once(lambda: reranker.shortlist(query, gallery, size))[0])

    memory = peak_growth(large)
    return {
        'share of queries with the same ten best': float(np.mean([ten for ten, _ in same])),
        'share of queries with the same best': float(np.mean([best for _, best in same])),
        'large gallery (s)': seconds[0],
        'large gallery, milliseconds a query': 1000 * seconds[0] / len(query),
        'large gallery, memory (MB)': memory,
    }


def _retrieval(queries: int, count: int, dim: int) -> tuple[Tensor, Tensor]:
    """Queries and a gallery with ten images a person."""
    persons = max(1, count // 10)
    query, _ = person_features(queries, persons, dim, noise=2.0, seed=1)
    gallery, _ = person_features(count, persons, dim, noise=1.5, seed=2)
    return query, gallery


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure the parts asked for."""
    parts = dict(zip(PARTS, (run_jaccard, run_k_reciprocal, run_shortlist), strict=True))
    with torch.no_grad():
        return {name: parts[name](args) for name in args.parts}
