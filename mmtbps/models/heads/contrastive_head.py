"""Cross-modal momentum contrast."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from mmtbps.core.arguments import checked
from mmtbps.core.checks import above_zero
from mmtbps.core.distributed import gather
from mmtbps.core.precision import at_least_float32
from mmtbps.registry import MODELS

from ..losses import info_nce
from ..structures import PairEmbeddings
from .base_head import BaseHead
from .temperature import make_temperature

__all__ = ['ContrastiveHead', 'ContrastiveSimilarities']


class ContrastiveSimilarities(NamedTuple):
    """Similarities of the anchors of one direction.

    Attributes:
        positive: To each anchor's own key, (N,).
        negatives: To the keys of the queue, (N, K).
        excluded: Which of them are no negatives, bool, broadcastable to (N, K).
    """

    positive: Tensor
    negatives: Tensor
    excluded: Tensor


@at_least_float32
def _compare(queries: Tensor, keys: Tensor, columns: Tensor, excluded: Tensor) -> ContrastiveSimilarities:
    """Compare queries (N, D) with their keys (N, D) and with the columns of a queue (D, K)."""
    queries = F.normalize(queries, dim=1)
    return ContrastiveSimilarities((queries * keys).sum(dim=1), queries @ columns.to(queries.dtype), excluded)


@MODELS.register_module()
class ContrastiveHead(BaseHead):
    """Contrast image queries with text keys and text queries with image keys (CM-MoCo; Han et al., BMVC 2021, Eq. 3-5).

    The positive is the key of the partner, the negatives are the keys of the other modality in the queue, without those
    of the query's own identity. Nothing depends on the content of the queue but values, so the head compiles. The loss
    is a mean over the local batch.

    Args:
        temperature: Temperature of the softmax (at the start, if it is learnt), or the name of one of the retriever's
            ``temperatures``, which several heads then share. 0.07 is the published value.
        learnable_temperature: Whether it is trained; of a shared one its own config says so.
        max_scale: Cap on the inverse of a learnt temperature; CLIP's 100.
        exclude: ``'row'`` leaves the identity of a query out of its own negatives. ``'batch'`` reproduces the public
            code: the identities of the whole batch, over all processes, are left out of everyone's.
        loss_weight: Factor of the losses.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If ``exclude`` is neither.
    """

    needs = ('contrast',)

    @checked(temperature=above_zero, max_scale=above_zero)
    def __init__(
        self,
        temperature: float | str = 0.07,
        learnable_temperature: bool = False,
        max_scale: float = 100.0,
        exclude: str = 'row',
        loss_weight: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(loss_weight, init_cfg)
        if exclude not in ('row', 'batch'):
            raise ValueError(f"ContrastiveHead: exclude must be 'row' or 'batch', got {exclude!r}")
        self.exclude = exclude
        self.temperature = make_temperature(temperature, learnable_temperature, max_scale)

    def compute_losses(self, pairs: PairEmbeddings) -> dict[str, Tensor]:
        """Return ``loss_i2t`` (image queries) and ``loss_t2i`` (text queries)."""
        return {
            f'loss_{direction}': info_nce(
                similarities.positive, similarities.negatives, self.temperature(), similarities.excluded
            )
            for direction, similarities in self.similarities(pairs).items()
        }

    def similarities(self, pairs: PairEmbeddings) -> dict[str, ContrastiveSimilarities]:
        """Compare the queries with their keys and with the queue.

        Args:
            pairs: Embeddings with their contrastive part.

        Returns:
            The directions ``i2t`` and ``t2i``.
        """
        contrast = pairs.contrast
        queue = contrast.queue
        if self.exclude == 'row':
            same = pairs.person_ids[:, None] == queue.person_ids[None, :]
        else:
            same = torch.isin(queue.person_ids, gather(pairs.person_ids))[None, :]
        excluded = same | ~queue.valid
        return {
            'i2t': _compare(contrast.image_queries, contrast.text_keys, queue.text, excluded),
            't2i': _compare(contrast.text_queries, contrast.image_keys, queue.image, excluded),
        }
