"""Plots of a report."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from mmtbps.core.files import write_atomically

__all__ = ['draw_cmc', 'draw_similarities']

_MATCH, _MISMATCH = '#1a9850', '#d73027'


def _save(figure: Figure, out_file: str | Path) -> None:
    """Write a figure as PNG."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format='png')
    write_atomically(out_file, buffer.getvalue())


def draw_cmc(first_ranks: Mapping[str, Tensor], out_file: str | Path, ranks: int = 50) -> None:
    """Draw the share of queries with a match among the first k results, for every k.

    Args:
        first_ranks: Rank of the first match of each query (Q,) by ranking; queries with 0, no match, are left out.
        out_file: The PNG.
        ranks: The largest k. Defaults to 50, where the curves of this field have flattened out.
    """
    figure = Figure(figsize=(7, 4.5), dpi=110, layout='constrained')
    axes = figure.add_subplot()
    for name, found in first_ranks.items():
        matched = found[found > 0]
        hits = torch.bincount(matched.clamp(max=ranks + 1), minlength=ranks + 2)[1 : ranks + 1]
        line = '--' if name.startswith('i2t') else '-'
        axes.plot(np.arange(1, ranks + 1), 100 * hits.cumsum(0) / len(matched), line, label=name, linewidth=1.6)
    axes.set(xlabel='k', ylabel='queries with a match among the first k (%)', xlim=(1, ranks), ylim=(None, 100))
    axes.set_xticks([1, *range(5, ranks + 1, 5)])
    axes.set_title('Cumulative matching characteristic', loc='left', fontsize=11)
    axes.grid(alpha=0.3)
    axes.legend(loc='lower right')
    _save(figure, out_file)


def draw_similarities(matching: Tensor, others: Tensor, out_file: str | Path) -> None:
    """Draw the distributions of the similarities of matching and of other pairs.

    Args:
        matching: Counts of pairs of one person (bins,), in equal bins between -1 and 1.
        others: Counts of pairs of two persons (bins,).
        out_file: The PNG.
    """
    figure = Figure(figsize=(7, 4), dpi=110, layout='constrained')
    axes = figure.add_subplot()
    edges = np.linspace(-1, 1, len(matching) + 1)
    for counts, name, colour in ((others, 'two persons', _MISMATCH), (matching, 'one person', _MATCH)):
        total = int(counts.sum())
        share = 100 * counts.numpy() / max(total, 1)
        axes.stairs(share, edges, fill=True, alpha=0.45, color=colour, label=f'{name} ({total:,} pairs)')
        axes.stairs(share, edges, color=colour, linewidth=1.2)
    occupied = np.flatnonzero((matching + others).numpy())
    if len(occupied):
        axes.set_xlim(edges[max(occupied[0] - 2, 0)], edges[min(occupied[-1] + 3, len(edges) - 1)])
    axes.set(xlabel='cosine similarity of caption and image', ylabel='share of the pairs in each bin (%)')
    axes.set_title('Matching and other pairs', loc='left', fontsize=11)
    axes.legend()
    _save(figure, out_file)
