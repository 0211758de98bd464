"""Let a head's loss grow to its weight."""

from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmtbps.registry import HOOKS

__all__ = ['LossRampHook']


@HOOKS.register_module()
class LossRampHook(Hook):
    """Raise the loss weight of one head linearly from 0 to the weight in its config.

    Momentum contrast against streams that start from random weights wants it: while all embeddings are nearly alike,
    the contrast mostly sees how the keys drift, and holds the other heads at chance. The weight is a function of the
    iteration alone, so that a resumed run continues as an uninterrupted one.

    Args:
        head: Name of the head in the retriever's ``heads``.
        end: Epochs, counted from 0 and not necessarily whole, after which the weight is the config's.
        begin: Epochs during which the weight stays 0. Defaults to 0: it grows from the first iteration on.

    Raises:
        ValueError: Unless ``0 <= begin <= end``, or if the retriever has no such head.
    """

    def __init__(self, head: str, end: float, begin: float = 0) -> None:
        if not 0 <= begin <= end:
            raise ValueError(f'LossRampHook: needs 0 <= begin <= end, got begin {begin} and end {end}')
        self.head, self.begin, self.end = head, begin, end

    def before_train(self, runner: Runner) -> None:
        """Note the weight that the config asks for."""
        heads = (runner.model.module if is_model_wrapper(runner.model) else runner.model).heads
        if self.head not in heads:
            raise ValueError(f'LossRampHook: the retriever has no head {self.head!r}, only {sorted(heads)}')
        self._ramped = heads[self.head]
        self._weight = self._ramped.loss_weight

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        """Set the weight of the coming iteration."""
        self._ramped.loss_weight = self._weight * self.share(runner.iter / len(runner.train_dataloader))

    def after_train(self, runner: Runner) -> None:
        """Give the head its weight back."""
        self._ramped.loss_weight = self._weight

    def share(self, epochs: float) -> float:
        """Compute the share of the weight after so many epochs, in [0, 1]."""
        if epochs >= self.end:
            return 1.0
        if epochs <= self.begin:
            return 0.0
        return (epochs - self.begin) / (self.end - self.begin)
