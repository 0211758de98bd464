"""Results of a study."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from .definition import Study, StudyRun, Variant

__all__ = ['Summary', 'format_difference', 'format_table', 'summarise']

SECONDS = 'train_seconds'


@dataclass(frozen=True)
class Summary:
    """The finished runs of a variant.

    Args:
        variant: The variant.
        values: For every metric, and for ``'train_seconds'``, the values of the seeds, (number of finished runs,).
        seeds: Seeds of the finished runs.
    """

    variant: Variant
    values: dict[str, np.ndarray]
    seeds: tuple[int, ...] = ()

    def format(self, metric: str, digits: int = 1) -> str:
        """Format mean and sample deviation (n - 1) over the seeds, such as '54.1 ± 0.8'."""
        values = self.values[metric]
        if not len(values):
            return 'none yet'
        mean = f'{values.mean():.{digits}f}'
        return mean if len(values) == 1 else f'{mean} ± {values.std(ddof=1):.{digits}f}'

    def differences(self, other: 'Summary', metric: str) -> np.ndarray:
        """By how much it is above another variant, seed by seed, (number of seeds that both have,)."""
        others = dict(zip(other.seeds, other.values[metric], strict=True))
        pairs = zip(self.seeds, self.values[metric], strict=True)
        return np.array([value - others[seed] for seed, value in pairs if seed in others])


def format_difference(differences: np.ndarray) -> str:
    """Format a mean paired difference with its 95 % interval (Student's t), such as '+0.9 [+0.3, +1.5], 7 of 8 > 0'.

    Args:
        differences: One for each seed, (n,).
    """
    if len(differences) < 2:
        return 'none yet'
    mean, error = differences.mean(), differences.std(ddof=1) / len(differences) ** 0.5
    half = float(t.ppf(0.975, len(differences) - 1)) * error
    positive = int((differences > 0).sum())
    return f'{mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}], {positive} of {len(differences)} > 0'


def summarise(study: Study, runs: Iterable[StudyRun]) -> list[Summary]:
    """Collect the results by variant; runs without a result are left out.

    Args:
        study: The study.
        runs: Its runs.

    Returns:
        One summary per variant, in the order of the study.

    Raises:
        ValueError: If a result lacks a metric of the study.
    """
    keys = [*study.metrics, SECONDS]
    found: dict[str, list[list[float]]] = {variant.name: [] for variant in study.variants}
    seeds: dict[str, list[int]] = {variant.name: [] for variant in study.variants}
    for run in runs:
        result = run.read_result()
        if result is None:
            continue
        if missing := [key for key in keys if key not in result]:
            raise ValueError(f'{run.result_file} lacks {missing} of {study.name}; it has {sorted(result)}.')
        found[run.variant.name].append([result[key] for key in keys])
        seeds[run.variant.name].append(run.seed)
    columns = {name: np.array(rows).reshape(-1, len(keys)).T for name, rows in found.items()}
    return [
        Summary(variant, dict(zip(keys, columns[variant.name], strict=True)), tuple(seeds[variant.name]))
        for variant in study.variants
    ]


def format_table(study: Study, summaries: Iterable[Summary]) -> str:
    """Format the study as a Markdown table: mean and deviation over the seeds of each variant.

    A second table has the paired differences of the variants that are compared with another one.

    Args:
        study: The study.
        summaries: Result of :func:`summarise`.

    Returns:
        The lines, each with a line break.
    """
    summaries = list(summaries)
    head = ['', *study.metrics, 'training, s', 'seeds']
    rows = [head, ['---', *['--:'] * (len(head) - 1)]]
    for summary in summaries:
        metrics = [summary.format(metric) for metric in study.metrics]
        count = str(len(summary.values[SECONDS]))
        rows.append([summary.variant.label, *metrics, summary.format(SECONDS, digits=0), count])
    table = _format_rows(rows)
    by_name = {summary.variant.name: summary for summary in summaries}
    pairs = [(summary, by_name[summary.variant.against]) for summary in summaries if summary.variant.against in by_name]
    if pairs:
        rows = [['paired difference', *study.metrics], ['---', *['--:'] * len(study.metrics)]]
        for summary, other in pairs:
            cells = [format_difference(summary.differences(other, metric)) for metric in study.metrics]
            rows.append([f'{summary.variant.label} - {other.variant.label}', *cells])
        table += f'\n{_format_rows(rows)}'
    return table


def _format_rows(rows: list[list[str]]) -> str:
    return ''.join(f'| {" | ".join(row)} |\n' for row in rows)
