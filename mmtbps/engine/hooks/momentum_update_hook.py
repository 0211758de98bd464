"""Momentum update of the key encoders."""

import math

from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner

from mmtbps.core.arguments import checked
from mmtbps.core.checks import in_unit
from mmtbps.registry import HOOKS

from .momentum_contrast import MomentumContrastHook

__all__ = ['MomentumUpdateHook']


@HOOKS.register_module()
class MomentumUpdateHook(MomentumContrastHook):
    """Update the key encoders before the iteration, from the query weights before the optimizer's step.

    With gradient accumulation they are updated in the iterations in which the optimizer steps, that is once per step.

    Args:
        end_momentum: Momentum at the end of training, to which it grows along half a cosine,
            ``end - (end - start) (cos(pi t / T) + 1) / 2`` (BYOL, Grill et al. 2020); usually 1. Defaults to None: the
            model's ``momentum`` throughout, as published.

    Raises:
        ValueError: If ``end_momentum`` is outside 0..1.
    """

    partner = 'QueueUpdateHook'

    @checked(end_momentum=in_unit)
    def __init__(self, end_momentum: float | None = None) -> None:
        self.end_momentum = end_momentum

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        """Update the key encoders if the optimizer is about to step.

        Args:
            runner: The runner of the training process.
            batch_idx: Index of the batch in the epoch.
            data_batch: The batch.

        Raises:
            RuntimeError: If keys of an earlier iteration were not committed.
        """
        model = self.retriever(runner)
        if model.queue.staged:
            raise RuntimeError(
                'keys of an earlier iteration are still staged: QueueUpdateHook did not commit them to the queue; '
                "keep dict(type='QueueUpdateHook') in custom_hooks"
            )
        # MMEngine's test whether the next iteration ends with a step.
        if runner.optim_wrapper.should_sync():
            model.update_key_encoders(self.current_momentum(model.momentum, runner.iter / runner.max_iters))

    def current_momentum(self, start: float, progress: float) -> float:
        """Compute the momentum of an iteration.

        Args:
            start: Momentum at the start of training.
            progress: Completed share of the training, in [0, 1].

        Returns:
            The momentum.
        """
        if self.end_momentum is None:
            return start
        return self.end_momentum - (self.end_momentum - start) * (math.cos(math.pi * progress) + 1) / 2
