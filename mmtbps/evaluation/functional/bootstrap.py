"""How sure a difference between two models is."""

from typing import Any

import numpy as np

from mmtbps.core.checks import positive

from .checks import as_ids

_BLOCK = 2**22
"""Numbers drawn at a time."""


def paired_bootstrap(
    difference: Any, groups: Any, samples: int = 10_000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Estimate the interval of a mean difference, drawing whole groups with replacement.

    Queries of one person are no independent observations: they describe the same clothes and share their right
    answers. So persons are drawn, each with all its queries (a cluster bootstrap); drawing queries would make intervals
    too narrow. A sample's mean is taken over its queries, like the figure itself. The percentile interval (Efron and
    Tibshirani, "An Introduction to the Bootstrap", 1993) of the samples' means is returned.

    Args:
        difference: What each query scores with one model less what it scores with the other (Q,).
        groups: The person of each query (Q,).
        samples: How often persons are drawn. Defaults to 10,000, which leaves the ends of the interval a standard
            error of some hundredths of its width.
        level: Which share of the samples the interval holds, between 0 and 1. Defaults to 0.95.
        seed: Seed of the draws. Defaults to 0: the same input gives the same interval.

    Returns:
        The interval's ends.

    Raises:
        TypeError: If the groups are not integers.
        ValueError: If there is no query, shapes disagree, ``samples`` is below 1 or ``level`` is not between 0 and 1.
    """
    values = np.asarray(difference, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(f'difference must hold a number for each query, at least one, got shape {values.shape}.')
    positive(samples, 'samples')
    if not 0 < level < 1:
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
