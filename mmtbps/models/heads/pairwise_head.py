"""Base of the heads that compare all images with all captions of the batch of all processes."""

from abc import abstractmethod

from mmengine import dist
from torch import Tensor

from mmtbps.core.distributed import gather, gather_with_gradient

from ..structures import PairEmbeddings
from .base_head import BaseHead

__all__ = ['PairwiseHead']


class PairwiseHead(BaseHead):
    """Compare every image with every caption of the global batch, both ways.

    Over several processes the embeddings and identities are gathered first, so that N processes with batches of B
    equal one with a batch of N x B. The two arguments are named as in open_clip.

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
        everything = PairEmbeddings(self._gather(pairs.image), self._gather(pairs.text), gather(pairs.person_ids))
        own = pairs if self.local_loss else everything
        ids = (own.person_ids, everything.person_ids)
        return {'loss': self.compare(own.image, everything.text, *ids) + self.compare(own.text, everything.image, *ids)}

    def _gather(self, values: Tensor) -> Tensor:
        """Gather embeddings; without ``gather_with_grad`` only the own ones keep their gradient."""
        if self.gather_with_grad:
            return gather_with_gradient(values)
        everything = gather(values)
        if everything is not values:
            start = dist.get_rank() * len(values)
            everything[start : start + len(values)] = values
        return everything

    @abstractmethod
    def compare(self, queries: Tensor, candidates: Tensor, query_ids: Tensor, candidate_ids: Tensor) -> Tensor:
        """Compute one direction, a mean over the queries.

        Args:
            queries: (N, D).
            candidates: Embeddings of the other modality, (M, D).
            query_ids: (N,).
            candidate_ids: (M,).

        Returns:
            A scalar.
        """
