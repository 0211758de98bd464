"""Division of the training pairs into clean and noisy ones before each epoch."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import above_zero, positive
from mmtbps.core.distributed import unwrap
from mmtbps.datasets import TBPSDataset
from mmtbps.datasets.joining import WrappedDataset
from mmtbps.models import DualStreamRetriever, TALHead
from mmtbps.models.heads import gather_pairs
from mmtbps.registry import HOOKS

from ..consensus import clean_probabilities, divide, is_clean

__all__ = ['ConsensusDivisionHook']

_KEY = 'consensus'


@HOOKS.register_module()
class ConsensusDivisionHook(Hook):
    """Leave out pairs that two heads take for wrong (confident consensus division; Qin et al., RDE, CVPR 2024).

    Before each epoch the loss of every pair is computed for both heads, in evaluation mode and without gradient, in the
    batches of the epoch as they will be trained on. A mixture of two Gaussians tells each head which pairs are clean;
    pairs that both take for clean get the weight 1, those that both take for noisy 0, and of the others a fair coin
    decides, anew every epoch. All processes compute the same. The weights go to the ``pair_weights`` of both heads.

    Costs a forward pass over the training set. On clean data, too, a fifth to a quarter of the pairs is left out, since
    any losses can be split in two.

    Args:
        heads: Names of two ``TALHead`` of the retriever. Defaults to those of the shipped configs, of the global
            feature (BGE) and of the selected tokens (TSE).
        max_iter: See :func:`~mmtbps.engine.consensus.clean_probabilities`; this and the next two are the published
            values where at most 40 % noise is expected.
        tol: Likewise.
        reg_covar: Likewise.
        seed: Seed of the coins, with the epoch.

    Raises:
        ValueError: If there are not two names, the retriever has no such heads, the training has no epochs, or
            its data set is of another kind.
    """

    # Behind the hooks that seed an epoch.
    priority = 'LOW'

    @checked(max_iter=positive, tol=above_zero, reg_covar=above_zero)
    def __init__(
        self,
        heads: Sequence[str] = ('bge', 'tse'),
        max_iter: int = 10,
        tol: float = 1e-2,
        reg_covar: float = 5e-4,
        seed: int = 0,
    ) -> None:
        if len(heads) != 2:
            raise ValueError(f'ConsensusDivisionHook: heads must be two names, got {list(heads)}')
        self.names = tuple(heads)
        self.settings: dict[str, Any] = dict(max_iter=max_iter, tol=tol, reg_covar=reg_covar)
        self.seed = seed
        self._resumed: dict[str, Any] | None = None

    def before_train(self, runner: Runner) -> None:
        """Check that the retriever has the heads and the training has epochs."""
        heads = getattr(unwrap(runner.model), 'heads', {})
        wrong = [name for name in self.names if name not in heads or not isinstance(heads[name], TALHead)]
        if wrong:
            raise ValueError(f'ConsensusDivisionHook: the retriever has no TALHead {wrong[0]!r}, only {sorted(heads)}')
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            raise ValueError('ConsensusDivisionHook needs a training by epochs: train_cfg=dict(by_epoch=True, ...)')
        dataset = runner.train_dataloader.dataset
        if not isinstance(dataset, TBPSDataset | WrappedDataset):
            raise ValueError(
                f'ConsensusDivisionHook needs a data set whose items it can tell apart, such as a TBPSDataset; the '
                f'train_dataloader has a {type(dataset).__name__}'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Divide the pairs, or go on with the division of the epoch that was interrupted."""
        model = unwrap(runner.model)
        if self._resumed is not None and self._resumed['epoch'] == runner.epoch:
            weights = self._resumed['weights']
        else:
            weights = self._divide(runner, self._losses(runner, model))
        self._resumed = None
        self._division = dict(epoch=runner.epoch, weights=weights)
        for name in self.names:
            model.heads[name].pair_weights = weights.to(next(model.parameters()).device)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the division, for a run that goes on in the middle of the epoch."""
        if hasattr(self, '_division'):
            checkpoint[_KEY] = self._division

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the division of the epoch, if it is to go on."""
        self._resumed = checkpoint.get(_KEY) if runner._resume else None

    def _losses(self, runner: Runner, model: DualStreamRetriever) -> Tensor:
        """The losses of every item by both heads, (2, n), on the host.

        NaN for items that this epoch does not show, or shows in a batch of one identity, where no loss tells anything.
        """
        losses = torch.full((2, len(runner.train_dataloader.dataset)), torch.nan, dtype=torch.float64)
        training = model.training
        model.eval()
        with torch.no_grad(), runner.optim_wrapper.optim_context(runner.model):
            for batch in runner.train_dataloader:
                data = model.data_preprocessor(batch, training=True)
                everything = gather_pairs(model.pairs_of(data['inputs'], data['data_samples']))
                rows = [model.heads[name].compare_all(everything, everything, 'none') for name in self.names]
                alone = (everything.person_ids[:, None] == everything.person_ids).all(dim=1)
                told = torch.stack(rows).double().masked_fill(alone, torch.nan)
                losses[:, everything.indices.cpu()] = told.cpu()
        model.train(training)
        return losses

    def _divide(self, runner: Runner, losses: Tensor) -> Tensor:
        """Weights of all n items from losses (2, n); those without one have 1."""
        shown = ~losses[0].isnan()
        if not shown.any():
            runner.logger.warning('Consensus division: every batch has one identity, so that all pairs take part.')
            return torch.ones(len(shown))
        clean = [is_clean(clean_probabilities(row[shown], **self.settings)) for row in losses]
        generator = torch.Generator().manual_seed(self.seed + (runner.epoch << 32))
        weights = torch.ones(len(shown))
        weights[shown] = divide(clean[0], clean[1], generator)
        both, neither = (clean[0] & clean[1]).double().mean(), (~clean[0] & ~clean[1]).double().mean()
        runner.logger.info(
            f'Consensus division: {100 * both:.1f} % of {int(shown.sum())} pairs are clean for both heads, '
            f'{100 * neither:.1f} % for neither; {int(weights[shown].sum())} take part.'
        )
        return weights
