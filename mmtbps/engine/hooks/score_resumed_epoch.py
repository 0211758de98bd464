"""Validation of an epoch that was saved but not validated before a run was interrupted."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmtbps.registry import HOOKS


@HOOKS.register_module()
class ScoreResumedEpochHook(Hook):
    """Validate first when a run resumes from an epoch whose checkpoint does not hold its score.

    MMEngine saves an epoch before validating it. If a run is killed in between, that epoch would never be considered
    as the best one.
    """

    # After CheckpointHook's own `before_train`, which restores the best score so far.
    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        """Validate the epoch that the run resumes from, if a validation was due and is not recorded."""
        loop = runner.train_loop
        if not runner._resume or runner.epoch == 0 or runner.val_loop is None:
            return
        due = runner.epoch >= loop.val_begin and (
            runner.epoch % loop.val_interval == 0 or runner.epoch == runner.max_epochs
        )
        if due and runner.message_hub.runtime_info.get('scored_epoch') != runner.epoch:
            runner.logger.info(f'Epoch {runner.epoch} was saved but not scored: validating it first.')
            runner.val_loop.run()

    def before_val_epoch(self, runner: Runner) -> None:
        """Record the epoch; the record is saved only with a checkpoint that is written after the validation."""
        runner.message_hub.update_info('scored_epoch', runner.epoch)
