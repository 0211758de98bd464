"""Results of a study."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .definition import Study, StudyRun, Variant

__all__ = ['Summary', 'format_table', 'summarise']

SECONDS = 'train_seconds'


@dataclass(frozen=True)
class Summary:
    """The finished runs of a variant.

    Args:
        variant: The variant.
        values: For every metric, and for ``'train_seconds'``, the values of the seeds, (number of finished runs,).
    """

    variant: Variant
    values: dict[str, np.ndarray]

    def format(self, metric: str, digits: int = 1) -> str:
        """Format mean and sample deviation (n - 1) over the seeds, such as '54.1 ± 0.8'."""
        values = self.values[metric]
        if not len(values):
            return 'none yet'
        mean = f'{values.mean():.{digits}f}'
        return mean if len(values) == 1 else f'{mean} ± {values.std(ddof=1):.{digits}f}'


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
    for run in runs:
        result = run.read_result()
        if result is None:
            continue
        if missing := [key for key in keys if key not in result]:
            raise ValueError(f'{run.result_file} lacks {missing} of {study.name}; it has {sorted(result)}.')
        found[run.variant.name].append([result[key] for key in keys])
    return [
        Summary(variant, dict(zip(keys, np.array(found[variant.name]).reshape(-1, len(keys)).T, strict=True)))
        for variant in study.variants
    ]


def format_table(study: Study, summaries: Iterable[Summary]) -> str:
    """Format the study as a Markdown table: mean and deviation over the seeds of each variant.

    Args:
        study: The study.
        summaries: Result of :func:`summarise`.

    Returns:
        The lines, each with a line break.
    """
    head = ['', *study.metrics, 'training, s', 'seeds']
    rows = [head, ['---', *['--:'] * (len(head) - 1)]]
    for summary in summaries:
        metrics = [summary.format(metric) for metric in study.metrics]
        count = str(len(summary.values[SECONDS]))
        rows.append([summary.variant.label, *metrics, summary.format(SECONDS, digits=0), count])
    return ''.join(f'| {" | ".join(row)} |\n' for row in rows)
