"""What a retriever hands to its heads."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from .queues import CrossModalQueue

__all__ = ['ContrastEmbeddings', 'PairEmbeddings']


@dataclasses.dataclass(frozen=True)
class ContrastEmbeddings:
    """Queries, momentum keys and queue of one batch of CM-MoCo.

    Attributes:
        image_queries: Contrastive embeddings of the images, (N, D).
        text_queries: Contrastive embeddings of the captions, (N, D).
        image_keys: The images through the key encoder, (N, D), L2-normalised, no gradient.
        text_keys: The captions through the key encoder, (N, D), L2-normalised, no gradient.
        queue: Keys of earlier batches; it does not hold those of this batch yet.
    """

    image_queries: Tensor
    text_queries: Tensor
    image_keys: Tensor
    text_keys: Tensor
    queue: CrossModalQueue

    def detach(self) -> ContrastEmbeddings:
        """Return the same embeddings without their graph."""
        return dataclasses.replace(
            self, image_queries=self.image_queries.detach(), text_queries=self.text_queries.detach()
        )


@dataclasses.dataclass(frozen=True)
class PairEmbeddings:
    """Embeddings of a batch of image-caption pairs, in at least single precision.

    Attributes:
        image: Linear embeddings of the images, (N, D), not normalised.
        text: Linear embeddings of the captions, (N, D), not normalised; row i describes image i.
        person_ids: Identities of the pairs, (N,), int64.
        contrast: What momentum contrast adds; None without it.
    """

    image: Tensor
    text: Tensor
    person_ids: Tensor
    contrast: ContrastEmbeddings | None = None

    def detach(self) -> PairEmbeddings:
        """Return the same embeddings without their graph."""
        contrast = self.contrast and self.contrast.detach()
        return PairEmbeddings(self.image.detach(), self.text.detach(), self.person_ids, contrast)
