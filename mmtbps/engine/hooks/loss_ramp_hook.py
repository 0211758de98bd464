"""Linear warm-up of the loss weight of a head, or of another of its numbers."""

from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner

from mmtbps.core.arguments import checked
from mmtbps.core.distributed import unwrap
from mmtbps.registry import HOOKS

__all__ = ['LossRampHook']


@HOOKS.register_module()
class LossRampHook(Hook):
    """Raise the loss weight of one head, or another of its numbers, linearly from 0 to what its config says.

    Momentum contrast needs it if streams start from random weights: while all embeddings are nearly equal, the contrast
    mostly reflects the drift of the keys and keeps the other heads at chance level. The soft targets of TBPS-CLIP
    grow likewise. The number is a function of the iteration alone, so that a resumed run continues like an
    uninterrupted one.

    Args:
        head: Name of the head in the retriever's ``heads``.
        end: Number of epochs, not necessarily whole, after which the number of the config is reached.
        begin: Number of epochs during which it stays 0. Defaults to 0: it grows from the first iteration.
        setting: Name of the number. Defaults to ``'loss_weight'``; ``'soft_share'`` is that of ``NITCHead``.

    Raises:
        ValueError: Unless ``0 <= begin <= end``, or if the retriever has no such head, or the head no such number.
    """

    @checked()
    def __init__(self, head: str, end: float, begin: float = 0, setting: str = 'loss_weight') -> None:
        if not 0 <= begin <= end:
            raise ValueError(f'LossRampHook: needs 0 <= begin <= end, got begin {begin} and end {end}')
        self.head, self.begin, self.end, self.setting = head, begin, end, setting

    def before_train(self, runner: Runner) -> None:
        """Remember the number of the config."""
        heads = unwrap(runner.model).heads
        if self.head not in heads:
            raise ValueError(f'LossRampHook: the retriever has no head {self.head!r}, only {sorted(heads)}')
        self._ramped = heads[self.head]
        value = getattr(self._ramped, self.setting, None)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(
                f'LossRampHook: setting={self.setting!r} is no number of the head {self.head!r}, a '
                f'{type(self._ramped).__name__}'
            )
        self._value = value

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        """Set the number of the next iteration."""
        self._set(self._value * self.share(runner.iter / len(runner.train_dataloader)))

    def after_train(self, runner: Runner) -> None:
        """Restore the number of the config."""
        self._set(self._value)

    def _set(self, value: float) -> None:
        setattr(self._ramped, self.setting, value)

    def share(self, epochs: float) -> float:
        """Compute the share of the number after a number of epochs, in [0, 1]."""
        if epochs >= self.end:
            return 1.0
        if epochs <= self.begin:
            return 0.0
        return (epochs - self.begin) / (self.end - self.begin)
