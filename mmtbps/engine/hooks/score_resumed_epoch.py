"""Validation of an epoch that was saved but not validated before a run was interrupted."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmtbps.core.terminal import tell
from mmtbps.registry import HOOKS

from ..progress import progress


@HOOKS.register_module()
class ScoreResumedEpochHook(Hook):
    """Validate first when a run resumes from an epoch, or iteration, whose checkpoint does not hold its score.

    MMEngine saves an epoch before validating it. If a run is killed in between, that epoch would never be considered
    as the best one. Under a loop of iterations the same holds for the iterations that are validated.
    """

    # After CheckpointHook's own `before_train`, which restores the best score so far.
    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        """Validate the epoch that the run resumes from, if a validation was due and is not recorded."""
        loop = runner.train_loop
        unit, now = progress(runner)
        last = runner.max_epochs if unit == 'epoch' else runner.max_iters
        if not runner._resume or now == 0 or runner.val_loop is None:
            return
        if unit == 'epoch' and runner.iter % len(loop.dataloader):
            return  # a checkpoint of the middle of an epoch has nothing to be scored
        due = now >= loop.val_begin and (now % loop.val_interval == 0 or now == last)
        if due and runner.message_hub.runtime_info.get(f'scored_{unit}') != now:
            tell(f'{unit.capitalize()} {now} was saved but not scored: validating it first.')
            runner.val_loop.run()

    def before_val_epoch(self, runner: Runner) -> None:
        """Record the epoch; the record is saved only with a checkpoint that is written after the validation."""
        unit, now = progress(runner)
        runner.message_hub.update_info(f'scored_{unit}', now)
