"""Seeding by epoch, which makes everything random in training a function of (seed, epoch)."""

from typing import Any

import numpy as np
import torch
from mmengine.dist import broadcast_object_list, get_rank
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmtbps.registry import HOOKS

from ..passes import Passes


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed data set, sampler and global generators as a function of (seed, epoch).

    MMEngine's worker seed does not depend on the epoch, and its checkpoints hold no generator state, so that a resumed
    run would draw other numbers than an uninterrupted one. Before each epoch this hook sets the epoch of the training
    set (whose augmentation is a function of seed, epoch and item) and seeds the generators of the process, which
    dropout and the like use, from (seed, epoch, rank). A resumed run thereby continues bit by bit. Under a loop of
    iterations (``by_epoch=False``) the same happens at each pass over the data.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Set the seed of a resumed run in the sampler, which was built before the checkpoint was read.

        A seed that the config sets for the sampler is kept.
        """
        self._seed_sampler(runner)
        _give_generator(runner.train_dataloader)
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            runner.train_loop.dataloader_iterator = Passes(
                runner.train_dataloader, lambda number: self._begin_pass(runner, number), runner.iter
            )

    def before_val(self, runner: Runner) -> None:
        """Keep the validation from drawing of the numbers that training draws."""
        _give_generator(runner.val_dataloader)

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the epoch of the data set and seed the generators."""
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            self._begin(runner, runner.epoch)

    def _begin_pass(self, runner: Runner, number: int) -> None:
        sampler = runner.train_dataloader.sampler
        if hasattr(sampler, 'set_epoch'):
            sampler.set_epoch(number)
        self._begin(runner, number)

    @staticmethod
    def _begin(runner: Runner, epoch: int) -> None:
        dataset = runner.train_dataloader.dataset
        if hasattr(dataset, 'set_epoch'):
            dataset.set_epoch(epoch, seed=runner.seed)
        elif epoch == 0:
            runner.logger.warning(
                f'EpochSeedHook: {type(dataset).__name__} has no set_epoch(epoch, seed): what it draws is its own '
                'affair, and a resumed run may draw other numbers. Derive it from TBPSDataset, and join or repeat '
                'data sets by ConcatDataset, RepeatDataset or ClassBalancedDataset of mmtbps.datasets.'
            )
        sequence = np.random.SeedSequence((runner.seed, epoch, get_rank()))
        torch.manual_seed(int(sequence.generate_state(1, np.uint64)[0]) >> 1)

    @staticmethod
    def _seed_sampler(runner: Runner) -> None:
        sampler = runner.train_dataloader.sampler
        config = runner.cfg.get('train_dataloader') or {}
        if not hasattr(sampler, 'seed') or 'seed' in config.get('sampler', {}):
            return
        seed = [runner.seed]
        broadcast_object_list(seed)  # with `diff_rank_seed` processes differ, but their samplers must not
        sampler.seed = seed[0]


def _give_generator(loader: Any) -> None:
    """Let a loader draw the seed of its workers from a generator of its own, and not from that of dropout.

    It draws when it starts them: anew in a resumed run, once for all epochs in one whose workers persist.
    """
    if getattr(loader, 'generator', loader) is None:
        loader.generator = torch.Generator()
