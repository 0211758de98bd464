"""Plot of a study."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmtbps.core.files import written_atomically
from mmtbps.visualization import draw_text

from .definition import Study
from .report import Summary

__all__ = ['draw_study']


def draw_study(study: Study, summaries: Sequence[Summary], out_file: str | Path) -> None:
    """Draw one panel per metric with a row per variant: a dot per seed, a bar for mean and deviation.

    Args:
        study: The study.
        summaries: Result of :func:`mmtbps.apis.studies.summarise`.
        out_file: Picture to write.
    """
    panels = len(study.metrics)
    longest = max(len(summary.variant.label) for summary in summaries)
    size = (0.08 * longest + 2.6 * panels, 0.9 + 0.42 * len(summaries))
    figure = Figure(figsize=size, dpi=100, layout='constrained')
    FigureCanvasAgg(figure)
    draw_text(figure.suptitle, study.title, fontsize=10)
    axes = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    for panel, metric in zip(axes, study.metrics, strict=True):
        for row, summary in enumerate(summaries):
            values = summary.values[metric]
            panel.plot(values, [row] * len(values), 'o', color='#4393c3', alpha=0.6, markersize=5)
            if len(values) > 1:
                panel.errorbar(values.mean(), row, xerr=values.std(ddof=1), fmt='|', color='#053061', markersize=14)
        draw_text(panel.set_xlabel, metric, fontsize=9)
        panel.grid(axis='x', linewidth=0.4)
        panel.tick_params(labelsize=8)
    axes[0].set_yticks(range(len(summaries)), [summary.variant.label for summary in summaries])
    axes[0].set_ylim(len(summaries) - 0.5, -0.5)
    with written_atomically(out_file) as file:
        figure.savefig(file, format=Path(out_file).suffix.lstrip('.') or 'png')
