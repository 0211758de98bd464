"""Commit keys to the queue."""

from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner

from mmtbps.registry import HOOKS

from .momentum_contrast import MomentumContrastHook

__all__ = ['QueueUpdateHook']


@HOOKS.register_module()
class QueueUpdateHook(MomentumContrastHook):
    """Write the keys of the iteration into the queue, after the backward pass; with gradient accumulation every time.

    It comes before the hooks that log and save, so a checkpoint holds the queue of the finished iteration.
    """

    partner = 'MomentumUpdateHook'

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None, outputs: dict | None = None
    ) -> None:
        """Commit the staged keys; none are left of an iteration that FiniteLossHook has left out.

        Args:
            runner: The runner of the training process.
            batch_idx: Index of the batch in the epoch.
            data_batch: The batch.
            outputs: Logged losses of the iteration.
        """
        queue = self.retriever(runner).queue
        if queue.staged:
            queue.commit()
