"""Base of the heads that compare all images with all captions of the batch of all processes."""

from abc import abstractmethod
from typing import Any

from torch import Tensor

from ..structures import PairEmbeddings
from .base_head import BaseHead
from .gathering import gather_pairs

__all__ = ['PairwiseHead']


class PairwiseHead(BaseHead):
    """Compare every image with every caption of the global batch, both ways.

    Over several processes the pairs are gathered first, with all that is known of them, so that N processes with
    batches of B equal one with a batch of N x B. The two arguments are named as in open_clip.

    A subclass writes :meth:`compare`.

    Args:
        gather_with_grad: Whether gradients flow back to the process that an embedding came from. False saves the
            communication in the backward pass and treats the others' embeddings as constants, which changes the
            gradient. No effect in a single process.
        local_loss: Whether a process compares only its own images (captions) with all captions (images), N times less
            work and memory. The mean over the processes, and with ``gather_with_grad`` the gradient, stay the same.
            No effect in a single process.
        loss_weight: Factor of the loss.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(
        self,
        gather_with_grad: bool = True,
        local_loss: bool = False,
        loss_weight: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(loss_weight, init_cfg)
        self.gather_with_grad = gather_with_grad
        self.local_loss = local_loss

    def compute_losses(self, pairs: PairEmbeddings) -> dict[str, Tensor]:
        """Return ``loss``, the image-to-text direction plus the text-to-image direction."""
        return {'loss': self._both_directions(pairs, 'mean')}

    def pair_losses(self, pairs: PairEmbeddings) -> Tensor:
        """Compute the loss of every pair, whose mean is that of :meth:`compute_losses`; not weighted.

        Args:
            pairs: Embeddings of the batch.

        Returns:
            (N,) with ``local_loss``, else one value for each pair of all processes, rank 0 first.
        """
        return self._both_directions(pairs, 'none')

    def _both_directions(self, pairs: PairEmbeddings, reduction: str) -> Tensor:
        everything = gather_pairs(pairs, self.gather_with_grad)
        own = pairs if self.local_loss else everything
        ids = (own.person_ids, everything.person_ids)
        settings: dict[str, Any] = dict(reduction=reduction)
        return self.compare(own.image, everything.text, *ids, **settings) + self.compare(
            own.text, everything.image, *ids, **settings
        )

    @abstractmethod
    def compare(self, queries: Tensor, candidates: Tensor, *ids: Tensor, reduction: str = 'mean') -> Tensor:
        """Compute one direction.

        Args:
            queries: (N, D).
            candidates: Embeddings of the other modality, (M, D).
            *ids: Identities of the queries (N,) and of the candidates (M,).
            reduction: ``'mean'`` over the queries, or ``'none'`` for the loss of each.

        Returns:
            A scalar, or (N,).
        """
