"""Confidence interval of the difference between two models."""

from typing import Any

import numpy as np

from mmtbps.core.checks import in_unit, positive, shown, whole

from .checks import as_ids

_BLOCK = 2**22
"""Random numbers drawn at a time."""


def paired_bootstrap(
    difference: Any, groups: Any, samples: int = 10_000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Estimate the confidence interval of a mean difference by a paired cluster bootstrap.

    Queries of one person are not independent observations: they describe the same clothes and have the same matches.
    Therefore persons are resampled with replacement, each with all its queries; resampling queries would make intervals
    too narrow. The mean of a sample is taken over its queries, like the metric itself. The result is the percentile
    interval (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993) of the means.

    Args:
        difference: Score of each query with one model minus its score with the other (Q,).
        groups: The person of each query (Q,).
        samples: Number of samples. Defaults to 10,000, at which the standard error of the ends of the interval is some
            hundredths of its width.
        level: Confidence level, between 0 and 1. Defaults to 0.95, as is usual.
        seed: Seed of the resampling. Defaults to 0: the same input gives the same interval.

    Returns:
        The ends of the interval.

    Raises:
        TypeError: If the groups are not integers, or something else is no number.
        ValueError: If there is no query, shapes disagree, a difference is not finite, ``samples`` is below 1, ``seed``
            is negative or ``level`` is not between 0 and 1.
    """
    try:
        values = np.asarray(difference, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f'difference must hold numbers, got {shown(difference)} ({error}).') from error
    if values.ndim != 1 or not len(values):
        raise ValueError(f'difference must hold a number for each query, at least one, got shape {values.shape}.')
    if not np.isfinite(values).all():
        raise ValueError('difference has NaN or infinity, of which there is no interval.')
    positive(samples, 'samples')
    if whole(seed, 'seed') < 0:
        raise ValueError(f'seed must not be negative, got {seed!r}.')
    if not 0 < in_unit(level, 'level') < 1:
        raise ValueError(f'level must be between 0 and 1, got {level!r}.')
    _, group = np.unique(as_ids(groups, 'groups', len(values)).numpy(), return_inverse=True)
    sums, sizes = np.bincount(group, weights=values), np.bincount(group)
    rng, count = np.random.default_rng(seed), len(sums)
    means: list[np.ndarray] = []
    step = max(1, _BLOCK // count)
    for begin in range(0, samples, step):
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=min(step, samples - begin))
        means.append((drawn @ sums) / (drawn @ sizes))
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
