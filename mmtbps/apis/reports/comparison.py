"""What changed between two tests of the same data."""

from typing import NamedTuple

import numpy as np
from terminaltables import AsciiTable

from mmtbps.evaluation.functional import paired_bootstrap

from .files import Report

__all__ = ['Comparison', 'RankChange', 'compare_reports', 'format_comparison']


class RankChange(NamedTuple):
    """A query whose first right answer moved: its caption (or image), and the rank in A and in B."""

    query: str
    before: int
    after: int


class Comparison(NamedTuple):
    """One ranking in two reports.

    ``figures`` by name: A, B, and for R@1 and mAP the ends of the interval of B - A (None for the others), in percent.
    ``gained`` and ``lost``: queries whose first answer became right or wrong. ``changes``: ranks that moved most.
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
        changes: How many of the largest gains and of the largest losses to list. Defaults to 5.

    Returns:
        One entry for each ranking that both have.

    Raises:
        ValueError: If they are about different data.
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
    answered = a['first_rank'] > 0
    pids = a['person_id'][answered]
    first_a, first_b = a['first_rank'][answered], b['first_rank'][answered]
    hit_a, hit_b = first_a == 1, first_b == 1
    precision = (b['average_precision'] - a['average_precision'])[answered]
    differences = {'R@1': hit_b.astype(float) - hit_a, 'mAP': precision}
    figures = {}
    for name, value in one.figures[ranking].items():
        if name in other.figures[ranking]:
            interval = None
            if name in differences:
                low, high = paired_bootstrap(differences[name], pids, samples)
                interval = (100 * low, 100 * high)
            figures[name] = (value, other.figures[ranking][name], interval)
    labels = a['caption' if ranking.startswith('t2i') else 'image'][answered]
    return Comparison(
        ranking,
        figures,
        int((hit_b & ~hit_a).sum()),
        int((hit_a & ~hit_b).sum()),
        _largest_changes(labels, first_a, first_b, changes),
    )


def _largest_changes(labels: np.ndarray, before: np.ndarray, after: np.ndarray, count: int) -> list[RankChange]:
    """The ranks that rose and fell most, as ratios: from 2 to 1 is as much as from 200 to 100."""
    ratio = np.log(after / before)
    order = np.argsort(ratio, kind='stable')
    chosen = [i for i in order[:count] if ratio[i] < 0] + [i for i in order[::-1][:count] if ratio[i] > 0]
    return [RankChange(str(labels[i]), int(before[i]), int(after[i])) for i in chosen]


def format_comparison(comparison: Comparison, width: int = 90) -> str:
    """Lay a comparison out as text.

    Args:
        comparison: One ranking.
        width: Where captions are cut. Defaults to 90, for a usual terminal.

    Returns:
        A table of figures and one of ranks that moved most.
    """
    rows = [['', 'A', 'B', 'B - A', '95% interval of B - A']]
    for name, (a, b, interval) in comparison.figures.items():
        ends = '' if interval is None else f'{interval[0]:+.2f} .. {interval[1]:+.2f}'
        rows.append([name, f'{a:.2f}', f'{b:.2f}', f'{b - a:+.2f}', ends])
    lines = [
        AsciiTable(rows, f' {comparison.ranking} ').table,
        f'First answer became right in {comparison.gained} queries and wrong in {comparison.lost}.',
    ]
    if comparison.changes:
        moved = [['rank A', 'rank B', 'query']]
        for change in comparison.changes:
            text = change.query if len(change.query) <= width else change.query[: width - 3] + '...'
            moved.append([str(change.before), str(change.after), ' '.join(text.split())])
        lines.append(AsciiTable(moved, ' moved most ').table)
    return '\n'.join(lines)
