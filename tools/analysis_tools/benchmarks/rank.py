"""Ranking with CMC, mAP and mINP: counting against a full torch.argsort of every row, chunk by chunk.

The default size is that of the test set of ICFG-PEDES, one direction. Both sides multiply the features themselves.
"""

import argparse
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmtbps.evaluation.functional import rank_features

from .common import median_ratio, time_in_turn
from .features import peak_growth, person_features


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this benchmark."""
    parser.add_argument('--queries', type=int, default=19848, help='(default: %(default)s)')
    parser.add_argument('--gallery', type=int, default=19848, help='(default: %(default)s)')
    parser.add_argument('--identities', type=int, default=1000, help='(default: %(default)s)')
    parser.add_argument('--dim', type=int, default=256, help='(default: %(default)s)')
    parser.add_argument(
        '--plain-chunk', type=int, default=512, help='queries argsorted at a time (default: %(default)s)'
    )


def plain_rank(
    query: Tensor, query_pids: Tensor, gallery: Tensor, gallery_pids: Tensor, chunk: int
) -> dict[str, float]:
    """Rank with torch.argsort, as most evaluation code does."""
    query, gallery = (torch.nn.functional.normalize(feats, dim=1) for feats in (query, gallery))
    cmc, aps, inps = [], [], []
    places = torch.arange(1, len(gallery) + 1)
    for part, pids in zip(query.split(chunk), query_pids.split(chunk), strict=True):
        order = torch.argsort(part @ gallery.T, dim=1, descending=True, stable=True)
        right = gallery_pids[order] == pids[:, None]
        found = right.cumsum(dim=1)
        cmc.append(found[:, :10].clamp(max=1))
        count = found[:, -1].double()
        aps.append((right * found / places.double()).sum(dim=1) / count)
        inps.append(count / (right * places).amax(dim=1))
    hits = torch.cat(cmc).double().mean(dim=0)
    figures = {f'R@{k}': hits[k - 1] for k in (1, 5, 10)}
    figures |= {'mAP': torch.cat(aps).mean(), 'mINP': torch.cat(inps).mean()}
    return {name: 100 * value.item() for name, value in figures.items()}


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure one direction."""
    query, query_pids = person_features(args.queries, args.identities, args.dim, noise=4.0, seed=1)
    gallery, gallery_pids = person_features(args.gallery, args.identities, args.dim, noise=2.0, seed=2)
    results: dict[str, dict[str, float]] = {}

    def ours() -> None:
        results['ours'] = rank_features(query, query_pids, gallery, gallery_pids)

    def plain() -> None:
        results['plain'] = plain_rank(query, query_pids, gallery, gallery_pids, args.plain_chunk)

    def products() -> None:
        for part in query.split(args.plain_chunk):
            part @ gallery.T

    seconds = time_in_turn({'ours': ours, 'plain': plain, 'products': products}, args.repeats)
    return {
        **results['ours'],
        'largest difference to torch.argsort': max(
            abs(value - results['plain'][name]) for name, value in results['ours'].items()
        ),
        'rank_features (s)': float(np.median(seconds['ours'])),
        'chunked torch.argsort (s)': float(np.median(seconds['plain'])),
        'the matrix product alone (s)': float(np.median(seconds['products'])),
        'speed, ratio to chunked torch.argsort': median_ratio(seconds['plain'], seconds['ours']),
        'rank_features, memory (MB)': peak_growth(ours),
        'chunked torch.argsort, memory (MB)': peak_growth(plain),
    }
