"""Statistics of momentum contrast for the log."""

import torch
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from torch import Tensor
from torch.nn import functional as F

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.models.heads import ContrastiveHead
from mmtbps.models.structures import PairEmbeddings
from mmtbps.registry import HOOKS

from .momentum_contrast import MomentumContrastHook

__all__ = ['QueueStatusHook']


@HOOKS.register_module()
class QueueStatusHook(MomentumContrastHook):
    """Log what shows whether momentum contrast works; log, TensorBoard and the like get it as ``train/...``.

    ``queue_fill`` and ``queue_masked`` are the shares of written slots and of entries that are no negatives;
    ``positive_similarity`` and ``hardest_negative_similarity`` are means of cosines over both directions;
    ``image_std`` and ``text_std`` are the standard deviation over the batch of the normalised embeddings, mean over the
    dimensions: about 1/sqrt(D) when all is well, near 0 when the embeddings collapse (SimSiam, Chen & He, CVPR 2021).
    Over several processes they describe the batch of the first.

    Args:
        interval: Iterations between two looks.
    """

    # Before QueueUpdateHook: the numbers concern the queue that the losses have seen.
    priority = 'ABOVE_NORMAL'
    partner = 'QueueUpdateHook'

    @checked(interval=positive)
    def __init__(self, interval: int = 10) -> None:
        self.interval = interval

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None, outputs: dict | None = None
    ) -> None:
        """Log the state of the queue and of the latest batch.

        Args:
            runner: The runner of the training process.
            batch_idx: Index of the batch in the epoch.
            data_batch: The batch.
            outputs: Logged losses of the iteration.
        """
        model = self.retriever(runner)
        if not self.every_n_train_iters(runner, self.interval) or model.latest_pairs is None:
            return
        head = next(head for head in model.heads.values() if isinstance(head, ContrastiveHead))
        for name, value in self.describe(head, model.latest_pairs).items():
            runner.message_hub.update_scalar(f'train/{name}', float(value))

    @torch.no_grad()
    def describe(self, head: ContrastiveHead, pairs: PairEmbeddings) -> dict[str, Tensor]:
        """Compute the numbers.

        Args:
            head: The head that contrasts.
            pairs: Embeddings of a batch with their contrastive part.

        Returns:
            Scalars by name.

        Raises:
            ValueError: If the embeddings have no contrastive part.
        """
        directions = head.similarities(pairs).values()
        # A row whose negatives are all excluded counts as having the least similar one.
        hardest = [item.negatives.masked_fill(item.excluded, -1.0).amax(dim=1).mean() for item in directions]
        excluded = next(iter(directions)).excluded
        queue = pairs.contrast.queue  # type: ignore[union-attr]  # head.similarities has refused None
        return {
            'queue_fill': queue.fill / queue.size,
            'queue_masked': excluded.float().mean(),
            'positive_similarity': torch.stack([item.positive.mean() for item in directions]).mean(),
            'hardest_negative_similarity': torch.stack(hardest).mean(),
            'image_std': F.normalize(pairs.image, dim=1).std(dim=0).mean(),
            'text_std': F.normalize(pairs.text, dim=1).std(dim=0).mean(),
        }
