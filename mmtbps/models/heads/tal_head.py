"""Triplet alignment, with a weight for every pair of the training set."""

from collections.abc import Sequence
from typing import Any

from mmengine import dist
from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import above_zero
from mmtbps.registry import MODELS

from ..losses import tal_rows
from ..structures import PairEmbeddings
from .pairwise_head import PairwiseHead

__all__ = ['TALHead']


@MODELS.register_module()
class TALHead(PairwiseHead):
    """Align triplets with a soft hardest negative (RDE; Qin et al., CVPR 2024): :func:`~mmtbps.models.losses.tal_loss`.

    The pairs of all processes are summed, each times its weight if there are any: ``pair_weights``, one number per item
    of the training set, which ``ConsensusDivisionHook`` sets. A pair of weight 0 stays a negative of others.

    Args:
        tau: Temperature; 0.015 is the published value.
        margin: 0.1 is the published value.
        part: First number, and the one behind the last, of the part of the embeddings that this head compares, such as
            ``(0, 512)`` for the global feature of :class:`~mmtbps.models.TokenSelection` and ``(512, 1536)`` for its
            selected tokens. Defaults to None: all of it.
        **kwargs: See :class:`PairwiseHead`.

    Raises:
        ValueError: If ``part`` is no pair of growing numbers.
    """

    pair_weights: Tensor | None

    @checked(tau=above_zero)
    def __init__(
        self, tau: float = 0.015, margin: float = 0.1, part: Sequence[int] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if part is not None and not (len(part) == 2 and 0 <= part[0] < part[1]):
            raise ValueError(f'TALHead: part must be the first number and the one behind the last, got {part}')
        self.settings = (tau, margin)
        self.part = slice(None) if part is None else slice(*part)
        self.register_buffer('pair_weights', None, persistent=False)

    def compute_losses(self, pairs: PairEmbeddings) -> dict[str, Tensor]:
        """Return ``loss``, both directions, summed over the pairs."""
        own, everything = self.own_and_all(pairs)
        rows = self.compare_all(own, everything, 'none')
        if self.pair_weights is not None:
            rows = rows * self.pair_weights[own.indices]
        # The gradients of processes are averaged, and each has a part of the sum.
        return {'loss': rows.sum() * (dist.get_world_size() if self.local_loss else 1)}

    def compare(self, queries: Tensor, candidates: Tensor, *ids: Tensor, reduction: str = 'mean') -> Tensor:
        """Compute one direction.

        Raises:
            ValueError: If the embeddings are shorter than ``part``.
        """
        if (self.part.stop or 0) > queries.shape[1]:
            raise ValueError(
                f'TALHead: part=({self.part.start}, {self.part.stop}) is beyond the embeddings, which have '
                f'{queries.shape[1]} numbers. Set it to the part that the neck gives.'
            )
        return tal_rows(queries[:, self.part], candidates[:, self.part], *ids, *self.settings, reduction=reduction)
