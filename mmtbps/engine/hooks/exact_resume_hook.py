"""Resume in the middle of an epoch, or refuse."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmtbps.core.terminal import tell
from mmtbps.registry import HOOKS

from ..run_settings import changed_settings, settings_of

__all__ = ['ExactResumeHook']

_KEY, _SETTINGS = 'random_state', 'settings'


class _Rest:
    """A data loader without its first batches, once."""

    def __init__(self, loader: Any, skipped: int) -> None:
        self.loader = loader
        self.skipped = skipped

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        return islice(iter(self.loader), self.skipped, None)


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Go on exactly where a checkpoint was written, also in the middle of an epoch, or refuse to.

    MMEngine begins the epoch anew, and so takes more iterations than the run without the interruption, or trains on
    after its end. Here the batches that were trained on are passed over, and torch's generators, from which dropout
    draws, go on from their state in the checkpoint. Gradients that are accumulated over several iterations are not
    part of a checkpoint: one that was written between two steps is refused. So is the middle of an epoch over several
    processes, of which a checkpoint knows the generators of the first alone; and so is another optimizer, schedule,
    seed, batch size or sampler than the checkpoint's run had, since the state that is loaded would silently prevail
    over some of them, and the run be neither the old nor a new one.
    """

    # After EpochSeedHook, which seeds the generators at the start of an epoch.
    priority = 'NORMAL'

    def __init__(self) -> None:
        self._random_state: dict[str, Any] | None = None
        self._skipped = 0

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the state of torch's generators of the main process, and the settings that are to stay."""
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        checkpoint[_KEY] = dict(cpu=torch.get_rng_state(), cuda=cuda)
        checkpoint[_SETTINGS] = settings_of(runner.cfg)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the state, if it is to go on from.

        Raises:
            ValueError: If settings that the state holds too were changed.
        """
        self._random_state = checkpoint.get(_KEY) if runner._resume else None
        if not runner._resume or _SETTINGS not in checkpoint:
            return
        if changed := changed_settings(checkpoint[_SETTINGS], settings_of(runner.cfg)):
            raise ValueError(
                f'The run that is to go on had other settings: {"; ".join(changed)}. Its state would prevail over some '
                'of them. Resume with the settings that it had, or start a new run from its weights: '
                'load_from=CHECKPOINT without resume.'
            )

    def before_train(self, runner: Runner) -> None:
        """Find out where in an epoch the run goes on.

        Raises:
            ValueError: If the checkpoint was written between two steps of the optimizer.
        """
        counts = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
        if isinstance(runner.train_loop, EpochBasedTrainLoop) and len(runner.train_loop.dataloader) % counts:
            runner.logger.warning(
                f'accumulative_counts={counts} does not divide the {len(runner.train_loop.dataloader)} iterations of '
                'an epoch: checkpoints that are written between two steps of the optimizer cannot be resumed from.'
            )
        if not runner._resume or runner.iter == 0:
            return
        if runner.iter % counts and runner.iter != runner.max_iters:
            raise ValueError(
                f'The checkpoint of iteration {runner.iter} was written between two steps of the optimizer, which come '
                f'every {counts} iterations (accumulative_counts), and has no gradients of those before. Resume from '
                'another one, or start a new run from its weights: load_from=CHECKPOINT without resume.'
            )
        loop = runner.train_loop
        if isinstance(loop, EpochBasedTrainLoop):
            length = len(loop.dataloader)
            self._skipped = runner.iter - runner.epoch * length
            if 0 < self._skipped < length and get_world_size() > 1:
                raise ValueError(
                    f'The checkpoint is of iteration {runner.iter}, in the middle of an epoch, from which several '
                    'processes cannot go on exactly. Resume from one that was written at the end of an epoch.'
                )
            # Behind the last iteration of an epoch nothing is left of it but what hooks do at its end.
            if not 0 <= self._skipped <= length:
                raise ValueError(
                    f'The checkpoint is of iteration {runner.iter} in epoch {runner.epoch + 1}, which with {length} '
                    'iterations an epoch is no place in this run. Resume with the batch size, the data and the number '
                    'of processes that it was trained with.'
                )

    def before_train_epoch(self, runner: Runner) -> None:
        """Pass over the batches of this epoch that were trained on."""
        if self._skipped:
            tell(f'Resuming behind {self._skipped} iterations of epoch {runner.epoch + 1}.')
            runner.train_loop.dataloader = _Rest(runner.train_loop.dataloader, self._skipped)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        """Restore the generators once, if the epoch goes on; at the beginning of one they have been seeded."""
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            within = self._skipped > 0
        else:
            within = not getattr(runner.train_loop.dataloader_iterator, 'fresh', False)
        if within and self._random_state is not None:
            torch.set_rng_state(self._random_state['cpu'].cpu())
            if torch.cuda.is_available() and self._random_state['cuda']:
                torch.cuda.set_rng_state_all([state.cpu() for state in self._random_state['cuda']])
        self._random_state = None

    def after_train_epoch(self, runner: Runner) -> None:
        """Take the whole loader for the next epoch."""
        if self._skipped:
            runner.train_loop.dataloader = runner.train_loop.dataloader.loader
            self._skipped = 0
