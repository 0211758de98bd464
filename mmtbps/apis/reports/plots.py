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

_RIGHT, _WRONG = '#1a9850', '#d73027'


def _save(figure: Figure, out_file: str | Path) -> None:
    """Write a figure as PNG."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format='png')
    write_atomically(out_file, buffer.getvalue())


def draw_cmc(first_ranks: Mapping[str, Tensor], out_file: str | Path, ranks: int = 50) -> None:
    """Draw which share of the queries has a right answer among the first k, for every k.

    Args:
        first_ranks: The rank of each query's first right answer (Q,) by ranking; 0, no right answer, is left out.
        out_file: The PNG.
        ranks: The last k. Defaults to 50, where curves of this field have flattened out.
    """
    figure = Figure(figsize=(7, 4.5), dpi=110, layout='constrained')
    axes = figure.add_subplot()
    for name, found in first_ranks.items():
        answered = found[found > 0]
        hits = torch.bincount(answered.clamp(max=ranks + 1), minlength=ranks + 2)[1 : ranks + 1]
        line = '--' if name.startswith('i2t') else '-'
        axes.plot(np.arange(1, ranks + 1), 100 * hits.cumsum(0) / len(answered), line, label=name, linewidth=1.6)
    axes.set(xlabel='k', ylabel='queries with a right answer among the first k (%)', xlim=(1, ranks), ylim=(None, 100))
    axes.set_xticks([1, *range(5, ranks + 1, 5)])
    axes.set_title('Cumulative matching characteristic', loc='left', fontsize=11)
    axes.grid(alpha=0.3)
    axes.legend(loc='lower right')
    _save(figure, out_file)


def draw_similarities(right: Tensor, wrong: Tensor, out_file: str | Path) -> None:
    """Draw how the similarities of right and wrong pairs are distributed.

    Args:
        right: Numbers of pairs of one person (bins,), equal bins between -1 and 1.
        wrong: The same of pairs of two persons.
        out_file: The PNG.
    """
    figure = Figure(figsize=(7, 4), dpi=110, layout='constrained')
    axes = figure.add_subplot()
    edges = np.linspace(-1, 1, len(right) + 1)
    for counts, name, colour in ((wrong, 'two persons', _WRONG), (right, 'one person', _RIGHT)):
        total = int(counts.sum())
        share = 100 * counts.numpy() / max(total, 1)
        axes.stairs(share, edges, fill=True, alpha=0.45, color=colour, label=f'{name} ({total:,} pairs)')
        axes.stairs(share, edges, color=colour, linewidth=1.2)
    occupied = np.flatnonzero((right + wrong).numpy())
    if len(occupied):
        axes.set_xlim(edges[max(occupied[0] - 2, 0)], edges[min(occupied[-1] + 3, len(edges) - 1)])
    axes.set(xlabel='cosine similarity of caption and image', ylabel='share of the pairs in each bin (%)')
    axes.set_title('Right and wrong pairs', loc='left', fontsize=11)
    axes.legend()
    _save(figure, out_file)
