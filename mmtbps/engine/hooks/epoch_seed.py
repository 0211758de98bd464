"""Seeding by epoch, which makes everything random in training a function of (seed, epoch)."""

import numpy as np
import torch
from mmengine.dist import broadcast_object_list, get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmtbps.registry import HOOKS


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed data set, sampler and global generators as a function of (seed, epoch).

    MMEngine's worker seed does not depend on the epoch, and its checkpoints hold no generator state, so that a resumed
    run would draw other numbers than an uninterrupted one. Before each epoch this hook sets the epoch of the training
    set (whose augmentation is a function of seed, epoch and item) and seeds the generators of the process, which
    dropout and the like use, from (seed, epoch, rank). A resumed run thereby continues bit by bit.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Set the seed of a resumed run in the sampler, which was built before the checkpoint was read.

        A seed that the config sets for the sampler is kept.
        """
        sampler = runner.train_dataloader.sampler
        config = runner.cfg.get('train_dataloader') or {}
        if not hasattr(sampler, 'seed') or 'seed' in config.get('sampler', {}):
            return
        seed = [runner.seed]
        broadcast_object_list(seed)  # with `diff_rank_seed` processes differ, but their samplers must not
        sampler.seed = seed[0]

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the epoch of the data set and seed the generators."""
        dataset = runner.train_dataloader.dataset
        if not hasattr(dataset, 'set_epoch'):
            raise TypeError(
                f'EpochSeedHook: {type(dataset).__name__} has no set_epoch(epoch, seed), so its augmentation cannot '
                'follow the epoch. Derive it from TBPSDataset, and join or repeat data sets by ConcatDataset, '
                'RepeatDataset or ClassBalancedDataset of mmtbps.datasets.'
            )
        dataset.set_epoch(runner.epoch, seed=runner.seed)
        sequence = np.random.SeedSequence((runner.seed, runner.epoch, get_rank()))
        torch.manual_seed(int(sequence.generate_state(1, np.uint64)[0]) >> 1)
