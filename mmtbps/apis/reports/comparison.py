"""Comparison of two reports about the same data."""

from typing import NamedTuple

import numpy as np
from terminaltables import AsciiTable

from mmtbps.evaluation.functional import paired_bootstrap

from .files import Report

__all__ = ['Comparison', 'RankChange', 'compare_reports', 'format_comparison']


class RankChange(NamedTuple):
    """A query whose first match has another rank.

    Attributes:
        query: Its caption, or its image.
        before: Rank in report A.
        after: Rank in report B.
    """

    query: str
    before: int
    after: int


class Comparison(NamedTuple):
    """One ranking in two reports.

    Attributes:
        ranking: Name of the ranking, such as ``t2i+jaccard``.
        figures: By name the metric of A, that of B, and for R@1 and mAP the confidence interval of B - A (None for the
            others), in percent.
        gained: Number of queries whose first result is a match in B but not in A.
        lost: Number of queries whose first result is a match in A but not in B.
        changes: The largest changes of rank.
    """

    ranking: str
    figures: dict[str, tuple[float, float, tuple[float, float] | None]]
    gained: int
    lost: int
    changes: list[RankChange]


def compare_reports(one: Report, other: Report, samples: int = 10_000, changes: int = 5) -> list[Comparison]:
    """Compare two reports about the same data, query by query.

    Args:
        one: Report A.
        other: Report B.
        samples: See :func:`mmtbps.evaluation.functional.paired_bootstrap`. Defaults to 10,000.
        changes: Number of the largest gains and of the largest losses to list. Defaults to 5.

    Returns:
        One comparison for each ranking that both reports have.

    Raises:
        ValueError: If the reports are about different data.
    """
    if one.meta.get('data_digest') != other.meta.get('data_digest'):
        raise ValueError(
            f'The reports are about different data: {_data(one)} and {_data(other)}. Test both models on the same set.'
        )
    return [_compare(ranking, one, other, samples, changes) for ranking in one.figures if ranking in other.figures]


def _data(report: Report) -> str:
    meta = report.meta
    return f'{meta.get("dataset")} {meta.get("split")} ({meta.get("data_digest")})'


def _compare(ranking: str, one: Report, other: Report, samples: int, changes: int) -> Comparison:
    a, b = one.queries[ranking], other.queries[ranking]
    has_match = a['first_rank'] > 0
    pids = a['person_id'][has_match]
    first_a, first_b = a['first_rank'][has_match], b['first_rank'][has_match]
    hit_a, hit_b = first_a == 1, first_b == 1
    precision = (b['average_precision'] - a['average_precision'])[has_match]
    differences = {'R@1': hit_b.astype(float) - hit_a, 'mAP': precision}
    figures = {}
    for name, value in one.figures[ranking].items():
        if name in other.figures[ranking]:
            interval = None
            if name in differences:
                low, high = paired_bootstrap(differences[name], pids, samples)
                interval = (100 * low, 100 * high)
            figures[name] = (value, other.figures[ranking][name], interval)
    labels = a['caption' if ranking.startswith('t2i') else 'image'][has_match]
    return Comparison(
        ranking,
        figures,
        int((hit_b & ~hit_a).sum()),
        int((hit_a & ~hit_b).sum()),
        _largest_changes(labels, first_a, first_b, changes),
    )


def _largest_changes(labels: np.ndarray, before: np.ndarray, after: np.ndarray, count: int) -> list[RankChange]:
    """Find the largest changes of rank by ratio: from 2 to 1 is as much as from 200 to 100."""
    ratio = np.log(after / before)
    order = np.argsort(ratio, kind='stable')
    chosen = [i for i in order[:count] if ratio[i] < 0] + [i for i in order[::-1][:count] if ratio[i] > 0]
    return [RankChange(str(labels[i]), int(before[i]), int(after[i])) for i in chosen]


def format_comparison(comparison: Comparison, width: int = 90) -> str:
    """Format a comparison as text.

    Args:
        comparison: Comparison of one ranking.
        width: Length at which captions are cut. Defaults to 90, for a usual terminal.

    Returns:
        A table of the metrics and one of the largest changes of rank.
    """
    rows = [['', 'A', 'B', 'B - A', '95% interval of B - A']]
    for name, (a, b, interval) in comparison.figures.items():
        ends = '' if interval is None else f'{interval[0]:+.2f} .. {interval[1]:+.2f}'
        rows.append([name, f'{a:.2f}', f'{b:.2f}', f'{b - a:+.2f}', ends])
    lines = [
        AsciiTable(rows, f' {comparison.ranking} ').table,
        f'The first result is a match only in B for {comparison.gained} queries, only in A for {comparison.lost}.',
    ]
    if comparison.changes:
        moved = [['rank A', 'rank B', 'query']]
        for change in comparison.changes:
            text = change.query if len(change.query) <= width else change.query[: width - 3] + '...'
            moved.append([str(change.before), str(change.after), ' '.join(text.split())])
        lines.append(AsciiTable(moved, ' largest changes ').table)
    return '\n'.join(lines)
