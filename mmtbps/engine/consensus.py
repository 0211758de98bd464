"""Which pairs of a training set are probably right: mixtures of two Gaussians over the losses of pairs (RDE)."""

import math

import torch
from torch import Tensor

__all__ = ['clean_probabilities', 'divide', 'is_clean']


def clean_probabilities(losses: Tensor, max_iter: int = 10, tol: float = 1e-2, reg_covar: float = 5e-4) -> Tensor:
    """Tell how probably each pair belongs to those of small loss.

    The losses are scaled to [0, 1], and a mixture of two Gaussians is fitted by expectation maximisation (Arazo et al.,
    ICML 2019; Qin et al., RDE, CVPR 2024, Eq. 4), starting from two clusters of k-means that starts at both ends; the
    public code starts scikit-learn's mixture at random. Nothing here is random.

    Args:
        losses: (n,).
        max_iter: Most rounds.
        tol: The rounds end when the mean log-likelihood changes by less. RDE takes 100 rounds, 1e-4 and a
            ``reg_covar`` of 1e-6 where it expects more than 40 % noise, and for RSTPReid.
        reg_covar: Added to the variances.

    Returns:
        Probability of the component with the smaller mean, (n,), float64; 1 where all losses are equal.
    """
    values = losses.double()
    span = values.max() - values.min()
    if not span > 0:
        return torch.ones_like(values)
    values = (values - values.min()) / span
    components = _fit(values, _two_clusters(values), reg_covar)
    previous = -math.inf
    for _ in range(max_iter):
        share, likelihood = _responsibilities(values, *components)
        components = _fit(values, share, reg_covar)
        if abs(likelihood - previous) < tol:
            break
        previous = likelihood
    share, _ = _responsibilities(values, *components)
    return share[:, int(components[1].argmin())]


def _two_clusters(values: Tensor) -> Tensor:
    """Membership (n, 2) in two clusters of k-means, which starts at the smallest and the largest value."""
    low, high = values.min(), values.max()
    while True:
        upper = (values - high).abs() < (values - low).abs()
        centres = values[~upper].mean(), values[upper].mean()
        if (low, high) == centres:
            return torch.stack([~upper, upper], dim=1).double()
        low, high = centres


def _fit(values: Tensor, share: Tensor, reg_covar: float) -> tuple[Tensor, Tensor, Tensor]:
    """Weights, means and variances, (2,) each, of components with these shares of the values, (n, 2)."""
    total = share.sum(dim=0) + 10 * torch.finfo(torch.float64).eps
    means = (share * values[:, None]).sum(dim=0) / total
    variances = (share * (values[:, None] - means).square()).sum(dim=0) / total + reg_covar
    return total / len(values), means, variances


def _responsibilities(values: Tensor, weights: Tensor, means: Tensor, variances: Tensor) -> tuple[Tensor, float]:
    """Probability of each component for each value, (n, 2), and the mean log-likelihood."""
    distances = (values[:, None] - means).square() / variances
    joint = weights.log() - (distances + variances.log() + math.log(2 * math.pi)) / 2
    total = joint.logsumexp(dim=1)
    return (joint - total[:, None]).exp(), float(total.mean())


def is_clean(probabilities: Tensor) -> Tensor:
    """Decide which pairs are clean: those more probable than 0.5; if all are, those above the lowest hundredth.

    Where none is above, as when all losses are equal, nothing tells the pairs apart and all are clean.

    Args:
        probabilities: (n,).

    Returns:
        bool, (n,).
    """
    threshold = 0.5
    if float(probabilities.min()) > threshold:
        threshold = float(probabilities.sort().values[len(probabilities) // 100])
    clean = probabilities > threshold
    return clean if clean.any() else probabilities >= threshold


def divide(first: Tensor, second: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Weigh pairs by the consensus of two decisions (RDE, Sec. 3.3): both clean 1, both noisy 0, else a fair coin.

    Args:
        first: One decision, bool, (n,).
        second: The other.
        generator: Tosses the coins. Defaults to None: torch's.

    Returns:
        0 or 1 for each pair, (n,), float32.
    """
    weights = (first & second).float()
    disputed = first != second
    weights[disputed] = torch.randint(0, 2, (int(disputed.sum()),), generator=generator).float()
    return weights
