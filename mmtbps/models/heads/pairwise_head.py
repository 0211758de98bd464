"""Base of the heads that compare all images with all captions of the batch of all processes."""

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

    A subclass writes :meth:`compare`, or :meth:`compare_all` if it reads more of the pairs.

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
        return {'loss': self.compare_all(*self.own_and_all(pairs), 'mean')}

    def pair_losses(self, pairs: PairEmbeddings) -> Tensor:
        """Compute the loss of every pair, whose mean is that of :meth:`compute_losses`; not weighted.

        Args:
            pairs: Embeddings of the batch.

        Returns:
            (N,) with ``local_loss``, else one value for each pair of all processes, rank 0 first.
        """
        return self.compare_all(*self.own_and_all(pairs), 'none')

    def own_and_all(self, pairs: PairEmbeddings) -> tuple[Any, Any]:
        """Give the pairs to compare and those to compare them with, the same ones unless ``local_loss``."""
        everything = gather_pairs(pairs, self.gather_with_grad)
        return (pairs if self.local_loss else everything), everything

    def compare_all(self, own: Any, everything: Any, reduction: str) -> Tensor:
        """Compute both directions.

        Args:
            own: The N pairs to compare.
            everything: All M pairs.
            reduction: ``'mean'`` over the own pairs, or ``'none'`` for the loss of each.

        Returns:
            A scalar, or (N,).
        """
        ids = self.ids_of(own, everything)
        settings: dict[str, Any] = dict(reduction=reduction)
        return self.compare(own.image, everything.text, *ids, **settings) + self.compare(
            own.text, everything.image, *ids, **settings
        )

    def ids_of(self, own: Any, everything: Any) -> tuple[Tensor, Tensor]:
        """Give what decides which of the pairs are positives: those of one identity."""
        return own.person_ids, everything.person_ids

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
        raise NotImplementedError(f'{type(self).__name__} implements neither compare nor compare_all')
