"""Time and memory of ranking and re-ranking a few queries, as the gallery grows.

The full methods compare the gallery with itself and stop at --full-up-to; ranking and shortlists go on.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from mmtbps.evaluation import KReciprocal, NeighborJaccard
from mmtbps.evaluation.functional import k_reciprocal_distance, neighbor_jaccard, rank_features

from .common import once
from .features import peak_growth, person_features


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this benchmark."""
    sizes = [10**3, 3 * 10**3, 10**4, 3 * 10**4, 10**5, 3 * 10**5, 10**6]
    parser.add_argument('--sizes', nargs='+', type=int, default=sizes, help='gallery sizes (default: %(default)s)')
    parser.add_argument('--queries', type=int, default=100, help='(default: %(default)s)')
    parser.add_argument('--full-up-to', type=int, default=10**5, help='(default: %(default)s)')
    parser.add_argument('--jaccard-shortlist', type=int, default=50, help='(default: %(default)s)')
    parser.add_argument('--k-reciprocal-shortlist', type=int, default=500, help='(default: %(default)s)')
    parser.add_argument('--dim', type=int, default=256, help='(default: %(default)s)')
    parser.add_argument('--plot', metavar='PNG', help='draw the curves into this file (needs matplotlib)')


def _methods(args: argparse.Namespace, size: int) -> dict[str, Callable[[], Any]]:
    """What to measure at one size; ten images a person."""
    persons = max(1, size // 10)
    query, query_pids = person_features(args.queries, persons, args.dim, noise=2.0, seed=1)
    gallery, gallery_pids = person_features(size, persons, args.dim, noise=1.5, seed=2)

    methods = {
        'rank': lambda: rank_features(query, query_pids, gallery, gallery_pids),
        'jaccard, shortlist': lambda: NeighborJaccard().shortlist(query, gallery, args.jaccard_shortlist),
        'k-reciprocal, shortlist': lambda: KReciprocal().shortlist(query, gallery, args.k_reciprocal_shortlist),
    }
    if size <= args.full_up_to:
        methods['jaccard, full'] = lambda: neighbor_jaccard(query, gallery)
        methods['k-reciprocal, full'] = lambda: k_reciprocal_distance(query, gallery)
    return methods


def draw(figures: dict[str, dict[str, dict[str, float]]], queries: int, path: str) -> None:
    """Draw seconds and megabytes against gallery size."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout='constrained')
    panels = zip(figure.subplots(1, 2), ('seconds', 'megabytes'), strict=True)
    for axes, unit in panels:
        for name, row in figures.items():
            sizes = [int(size) for size in row]
            axes.loglog(sizes, [max(value[unit], 1e-3) for value in row.values()], marker='o', label=name)
        axes.set_xlabel('gallery items')
        axes.set_ylabel(f'{unit} for {queries} queries' if unit == 'seconds' else f'{unit} above the features')
        axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure every method at every size."""
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for size in args.sizes:
        for name, method in _methods(args, size).items():
            megabytes = peak_growth(method)
            # The first call, for the memory, is not timed.
            median = float(np.median([once(method)[0] for _ in range(args.repeats)]))
            figures.setdefault(name, {})[str(size)] = dict(seconds=median, megabytes=megabytes)
    if args.plot:
        draw(figures, args.queries, args.plot)
    return figures
